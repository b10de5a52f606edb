/**
 * Notices that time went by unseen: the machine slept (its wall clock is then ahead of the monotonic one, which stands
 * still meanwhile), or the process was frozen (nothing looked at the clock for too long).
 *
 * @internal
 */
import type * as Clock from "effect/Clock"

/** Nobody calls less a jump: servers and firewalls forget nobody so soon, and clocks are set by less. */
const JUMP = 30_000

/** Somebody must look at least this often, or a late look would mean nothing. */
export const LOOK_EVERY = 10_000

export class ClockWatch {
  /** The wall clock minus the monotonic one. */
  private offset = 0
  private lookedAt = 0
  private readonly clock: Clock.Clock

  constructor(clock: Clock.Clock) {
    this.clock = clock
  }

  /** Begins anew, after a time in which nobody had to look. `now` is monotonic, as everywhere. */
  begin(now: number): void {
    this.offset = this.clock.currentTimeMillisUnsafe() - now
    this.lookedAt = now
  }

  /** The time missed since the last look, in milliseconds: by the monotonic clock, or by the process; or none. */
  look(now: number): Jump | undefined {
    const slept = this.clock.currentTimeMillisUnsafe() - now - this.offset
    const frozen = now - this.lookedAt - LOOK_EVERY
    this.offset += slept
    this.lookedAt = now
    return slept > JUMP || frozen > JUMP ? { unclocked: Math.max(0, slept) } : undefined
  }
}

export interface Jump {
  /** The part of it in milliseconds that the monotonic clock does not know of. */
  readonly unclocked: number
}
