/** Sees every request's result once: counts it, remembers acknowledged orders, and notices when a fault is over. */
import { Deferred, Effect } from "effect"
import type { Order } from "../Orders.ts"
import type { Sample } from "./Sample.ts"
import { Tally } from "./Tally.ts"

/** This many successes in a row are a recovery. */
const IN_A_ROW = 20

/** Whether a request went well; undefined where it tells nothing about what was broken. */
export type Judge = (sample: Sample) => boolean | undefined

interface Recovery {
  readonly since: number
  readonly judge: Judge
  readonly done: Deferred.Deferred<number>
  streak: number
}

export class Watch {
  private readonly remembers: boolean
  readonly total = new Tally()
  stage = new Tally()
  second = new Tally()
  readonly acknowledged: Array<Order> = []
  /** What happens now, for the screen. */
  what = ""
  /** When the storefront was told to end. */
  drainingSince = Infinity
  private readonly recoveries = new Set<Recovery>()

  /** Without `remembers` it only counts seconds, and may go on for ever. */
  constructor({ remembers }: { readonly remembers: boolean }) {
    this.remembers = remembers
  }

  see(sample: Sample): void {
    this.second.add(sample, this.drainingSince)
    if (!this.remembers) return
    this.total.add(sample, this.drainingSince)
    this.stage.add(sample, this.drainingSince)
    if (sample.order !== undefined) this.acknowledged.push(sample.order)
    for (const recovery of this.recoveries) this.notice(recovery, sample)
  }

  private notice(recovery: Recovery, sample: Sample): void {
    if (sample.ended < recovery.since) return
    const well = recovery.judge(sample)
    if (well === undefined) return
    recovery.streak = well ? recovery.streak + 1 : 0
    if (recovery.streak === IN_A_ROW) Deferred.doneUnsafe(recovery.done, Effect.succeed(sample.ended - recovery.since))
  }

  /** Waits for the recovery from a fault that ended at `since`: how many milliseconds it took. */
  recovered(since: number, judge: Judge): Effect.Effect<number> {
    return Effect.suspend(() => {
      const recovery: Recovery = { since, judge, done: Deferred.makeUnsafe<number>(), streak: 0 }
      this.recoveries.add(recovery)
      return Effect.ensuring(Deferred.await(recovery.done), Effect.sync(() => this.recoveries.delete(recovery)))
    })
  }

  nextSecond(): Tally {
    const { second } = this
    this.second = new Tally()
    return second
  }

  nextStage(): Tally {
    return this.stage = new Tally()
  }
}
