/**
 * Notices that time went by unseen: the machine slept (its wall clock is then ahead of the monotonic one, which stands
 * still meanwhile), or the process was frozen (nothing looked at the clock for too long).
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import type { Deadlines } from "../../internal/deadlines.ts"

/** Nobody calls less a jump: servers and firewalls forget nobody so soon, and clocks are set by less. */
const JUMP = 30_000

/** Somebody must look at least this often, or a late look would mean nothing. */
const LOOK_EVERY = 10_000

/**
 * What follows this soon after a look need not look. A machine that falls asleep stops its processes first, and takes
 * longer than that over the rest, by the monotonic clock too; only a clock that is moved by hand stands still meanwhile.
 */
const LEAST_PAUSE = 1

export class ClockWatch {
  /** The wall clock minus the monotonic one. */
  private offset = 0
  private lookedAt = 0
  private looking = false
  private readonly clock: Clock.Clock
  private readonly deadlines: Deadlines
  private readonly isNeeded: () => boolean
  private readonly onJump: (millis: number, now: number) => void

  /** `onJump` gets the milliseconds that the monotonic clock does not know of, and its own instant. */
  constructor(
    clock: Clock.Clock,
    deadlines: Deadlines,
    isNeeded: () => boolean,
    onJump: (millis: number, now: number) => void
  ) {
    this.clock = clock
    this.deadlines = deadlines
    this.isNeeded = isNeeded
    this.onJump = onJump
  }

  /** Looks from now on for as long as it is needed; `now` is monotonic, as everywhere. */
  begin(now: number): void {
    if (this.looking) return
    this.looking = true
    this.offset = this.clock.currentTimeMillisUnsafe() - now
    this.lookedAt = now
    this.lookLater()
  }

  look(now: number): void {
    const pause = now - this.lookedAt
    if (pause > 0 && pause < LEAST_PAUSE) return
    const slept = this.clock.currentTimeMillisUnsafe() - now - this.offset
    const frozen = pause - LOOK_EVERY
    this.offset += slept
    this.lookedAt = now
    if (slept > JUMP || frozen > JUMP) this.onJump(Math.max(0, slept), now)
  }

  private lookLater(): void {
    this.deadlines.after(LOOK_EVERY, () => {
      this.looking = this.isNeeded()
      if (!this.looking) return
      this.lookLater()
      this.look(this.deadlines.now())
    })
  }
}
