/**
 * When the pool may dial: how many at once, how long to hold off after a failure, and when a server counts as down.
 *
 * At most one dial runs until one has succeeded; every success allows one more, which doubles the number with every
 * round, up to `concurrency`; a failure takes it back to one, so that a server that comes back is met by a ramp and not
 * by a herd. After three failures in a row with no connection open the server is down: callers are told at once, and
 * one prober goes on dialling.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Backoff from "../../internal/backoff.ts"
import type { Deadlines } from "../../internal/deadlines.ts"
import { PoolError } from "../PoolError.ts"

const DOWN_AFTER = 3

/**
 * Uniform in [100 ms, min(500 ms, 100 ms x 2^n)]: at most ten dials a second, and the first one at most half a second
 * after the server is back.
 */
const defaultBackoff: Schedule.Schedule<unknown> = Schedule.forever.pipe(
  Schedule.modifyDelay(({ attempt }) =>
    Effect.map(Random.next, (share) => {
      const most = Math.min(500, 100 * 2 ** (attempt - 1))
      return Duration.millis(100 + share * (most - 100))
    })
  )
)

/** As long as the shortest of these. */
const MISLED_DELAY = 100

const LEAST_DELAY = 10

/** Milliseconds after which an error that says for how long the server has been down is too old to be told. */
const TOLD_FOR = 1000

export class Dialer {
  failedDials = 0
  /** What the last dial said, if it failed. */
  lastError: unknown
  down = false
  paused = false
  /** Monotonic milliseconds: when the first of the failed dials ended, or the last of those beside an open connection. */
  private failingSince = 0
  private shared: PoolError | undefined
  private sharedAt = 0
  private window = 1
  private holdingOff = false
  private cancelHoldOff: (() => void) | undefined
  private backoff: Effect.Effect<Backoff.Backoff>
  private readonly concurrency: number
  private readonly fresh: Effect.Effect<Backoff.Backoff>
  private readonly deadlines: Deadlines

  constructor(concurrency: number, backoff: Schedule.Schedule<unknown> | undefined, deadlines: Deadlines) {
    this.concurrency = concurrency
    this.fresh = Backoff.make(backoff ?? defaultBackoff, LEAST_DELAY)
    this.backoff = this.fresh
    this.deadlines = deadlines
  }

  admits(opening: number): boolean {
    return !this.paused && !this.holdingOff && opening < this.window
  }

  /** A dial or a wait for the next one is under way, so that is what a waiting caller waits for. */
  isBusy(opening: number): boolean {
    return opening > 0 || this.holdingOff
  }

  succeeded(): void {
    this.window = Math.min(this.concurrency, this.window + 1)
    this.forgetFailures()
  }

  /** The delay before the next dial, in milliseconds. */
  readonly nextDelay = (cause: unknown): Effect.Effect<number> =>
    Effect.flatMap(this.backoff, (backoff) => {
      this.backoff = Effect.succeed(backoff)
      return backoff(cause)
    })

  failed(cause: unknown, delay: number, open: number, resume: () => void): void {
    if (this.paused) return // the server may go away during a pause: that is what it is for
    if (this.failedDials++ === 0 || open > 0) this.failingSince = this.deadlines.now()
    this.lastError = cause
    this.shared = undefined
    this.window = 1
    this.down = this.down || (open === 0 && this.failedDials >= DOWN_AFTER)
    this.holdOff(delay, resume)
  }

  /** What was reached is not what was sought: looks again a moment later, with one dial. */
  misled(resume: () => void): void {
    this.window = 1
    this.holdOff(MISLED_DELAY, resume)
  }

  private holdOff(delay: number, resume: () => void): void {
    this.holdingOff = true
    this.cancelHoldOff?.()
    this.cancelHoldOff = this.deadlines.after(delay, () => {
      this.holdingOff = false
      resume()
    })
  }

  /** No dials until `resume`. What failed before says nothing of the server that will be there then. */
  pause(): void {
    this.paused = true
    this.holdingOff = false
    this.window = 1
    this.forgetFailures()
  }

  resume(): void {
    this.paused = false
  }

  /** One instance until the state changes, for a second at most: thousands of callers may be told. */
  unavailable(pool: string): PoolError {
    const now = this.deadlines.now()
    if (this.shared !== undefined && now - this.sharedAt < TOLD_FOR) return this.shared
    this.sharedAt = now
    return this.shared = new PoolError({
      reason: {
        _tag: "Unavailable",
        pool,
        failedDials: this.failedDials,
        downFor: Duration.millis(now - this.failingSince),
        cause: this.lastError
      }
    })
  }

  close(): void {
    this.cancelHoldOff?.()
  }

  private forgetFailures(): void {
    this.failedDials = 0
    this.lastError = undefined
    this.shared = undefined
    this.down = false
    this.backoff = this.fresh
  }
}
