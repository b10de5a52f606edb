/** The course of the storm, in seconds of one that lasts `FULL_LENGTH`: shorter and longer ones are scaled. */
import * as Faults from "./Faults.ts"
import type { Scene } from "./Scene.ts"

export interface Stage {
  readonly label: string
  readonly seconds: number
  readonly fault?: { readonly lasts: number; readonly fault: Faults.Fault }
}

type Step = Stage | Faults.LeftOut

/** `lasts` seconds of the fault, then what is left of `seconds` without. */
const broken = (label: string, lasts: number, seconds: number, fault: Faults.Fault | Faults.LeftOut): Step =>
  "why" in fault ? fault : { label, seconds, fault: { lasts, fault } }

/** The stage that shows the shop while all is well. */
export const STEADY = "steady load"

const steps = (scene: Scene): ReadonlyArray<Step> => {
  const postgres = Faults.postgres(scene)
  const redis = Faults.redis(scene)
  const feed = Faults.feed(scene)
  const payments = Faults.payments(scene)
  return [
    { label: "warm-up", seconds: 2 },
    { label: STEADY, seconds: 2 },
    broken("Postgres killed", 1.5, 3.5, postgres.kill),
    broken("Postgres cut", 1, 2.5, postgres.cut),
    broken("Postgres black hole", 2, 4, postgres.blackHole),
    broken("Postgres exhausted", 2, 4, postgres.exhausted),
    broken("Redis cut off", 1, 2, redis.cut),
    broken("Redis killed", 1, 2, redis.kill),
    broken("Payments slow", 1.5, 2.5, payments.slow),
    broken("Payments half failing", 1.5, 2.5, payments.half),
    broken("Payments refusing", 1, 2, payments.refused),
    broken("MongoDB killed", 1, 2.5, Faults.mongo(scene)),
    broken("Watchers vanish", 0.5, 2.5, feed.vanish),
    broken("Watchers slow", 0.5, 2.5, feed.slow),
    broken("Redis and payments gone", 1, 2.5, Faults.together("Redis and payments gone", redis.kill, payments.refused))
  ]
}

export const FULL_LENGTH = 40

export const stages = (scene: Scene): ReadonlyArray<Stage> => steps(scene).filter((step) => "label" in step)

export const leftOut = (scene: Scene): ReadonlyArray<Faults.LeftOut> => steps(scene).filter((step) => "why" in step)
