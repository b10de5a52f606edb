/**
 * Tries the behaviours one after the other, each on a server and a time of its own. Whatever a pool does, a verdict
 * comes of it.
 *
 * @internal
 */
import type { Adapter } from "./adapter.ts"
import { Backend, MOST_DIALS } from "./backend.ts"
import type { Case } from "./behaviour.ts"
import { capacity } from "./cases/capacity.ts"
import { dialling } from "./cases/dialling.ts"
import { freshness } from "./cases/freshness.ts"
import { lending } from "./cases/lending.ts"
import { load } from "./cases/load.ts"
import { steering } from "./cases/steering.ts"
import { waiting } from "./cases/waiting.ts"
import { Failed, NotAsked, textOf, Trial } from "./trial.ts"
import { Exhausted, realLimit, VirtualTime } from "./virtualTime.ts"

export interface Found {
  readonly result: "pass" | "fail" | "n/a"
  readonly reason: string
}

export const cases: ReadonlyArray<Case> = [
  ...capacity,
  ...waiting,
  ...dialling,
  ...freshness,
  ...lending,
  ...steering,
  ...load
].toSorted((a, b) => a.number - b.number)

/** Of the time in which pools that are left behind may end, real milliseconds. */
const END_LIMIT = 2000

export const runCase = async (adapter: Adapter, one: Case, limitMillis: number): Promise<Found> => {
  const time = new VirtualTime(limitMillis)
  const trial = new Trial(time, adapter, new Backend(time, undefined), one.number)
  time.install(one.number)
  try {
    return await bounded(trial, one, limitMillis)
  } finally {
    const limit = realLimit(END_LIMIT, "")
    await Promise.race([trial.end().then(() => time.advance(10_000)), limit.expired]).catch(() => {})
    limit.cancel()
    time.uninstall()
  }
}

const bounded = async (trial: Trial, one: Case, limitMillis: number): Promise<Found> => {
  const limit = realLimit(limitMillis, `it had not ended after ${limitMillis / 1000} s of real time`)
  try {
    await Promise.race([one.run(trial), limit.expired])
  } catch (error) {
    if (error instanceof NotAsked) return { result: "n/a", reason: error.message }
    trial.expect(false, describe(error))
  } finally {
    limit.cancel()
  }
  // What follows from the kit's own silence says nothing of the pool.
  if (trial.server.isStormed) {
    return { result: "fail", reason: `it dialled more than ${MOST_DIALS.toLocaleString("en")} times` }
  }
  const { thrown } = trial.time
  if (thrown !== undefined) trial.expect(false, `it threw outside of any call: ${textOf(thrown)}`)
  return trial.problems.length === 0
    ? { result: "pass", reason: "" }
    : { result: "fail", reason: trial.problems.slice(0, 3).join("; ") }
}

const describe = (error: unknown): string =>
  error instanceof Failed || error instanceof Exhausted ? error.message : `it threw: ${textOf(error)}`
