/**
 * Time that moves only when a case moves it, for pools of promises and of Effect alike.
 *
 * While it is installed, `setTimeout`, `setInterval`, `Date`, `performance.now` and `process.hrtime.bigint` read its hands, and
 * `Math.random` is seeded; Effect's own `Clock` and `Random` read from these, so nothing has to be provided to them.
 * Turns of the event loop and sockets stay real. There are two hands, as on a machine: the wall jumps, the monotonic
 * one does not.
 *
 * Gotcha: what took `setTimeout` out of the global object when it was loaded is not seen.
 *
 * @internal
 */
import * as Seeded from "../../Seeded.ts"
import { TimerHeap, VirtualTimer } from "./timerHeap.ts"

const realSetTimeout = globalThis.setTimeout
const realClearTimeout = globalThis.clearTimeout
const realSetImmediate = globalThis.setImmediate
const realNow = performance.now.bind(performance)

/** Turns of the loop without any sign of life after which everything that could run has run. */
const QUIET_TURNS = 6
/** A pool that is still busy then, at one instant, spins. */
const MOST_TURNS = 50_000
/** In real milliseconds: how long bytes may be on their way on the loopback. */
const LONGEST_FLIGHT = 5000

const FIRST_WALL = Date.UTC(2026, 0, 1)
const FIRST_MONOTONIC = 1_000_000

/** The case has to end: the pool spins, or the time for it is over. */
export class Exhausted extends Error {}

/** Rejects after real milliseconds, unless cancelled. */
export const realLimit = (millis: number, message: string) => {
  let timer: ReturnType<typeof setTimeout>
  const expired = new Promise<never>((_, reject) => {
    timer = realSetTimeout(() => reject(new Exhausted(message)), millis)
  })
  return { expired, cancel: () => realClearTimeout(timer) }
}

const turn = (): Promise<void> => new Promise((resolve) => void realSetImmediate(resolve))

const pause = (millis: number): Promise<void> => new Promise((resolve) => void realSetTimeout(resolve, millis))

export class VirtualTime {
  /** Bytes on their way between the two ends of sockets that are both of this process. */
  inFlight = 0
  /** What a timer of the pool threw first, where it would have ended the process. */
  thrown: unknown
  private elapsed = 0
  private wallOffset = 0
  private signs = 0
  private readonly timers = new TimerHeap()
  private readonly giveUpAt: number
  private restore: Array<() => void> = []

  constructor(realLimitMillis: number) {
    this.giveUpAt = realNow() + realLimitMillis
  }

  /** Milliseconds since the case began. */
  now(): number {
    return this.elapsed
  }

  /** Something happened that others may react to. */
  sign(): void {
    this.signs++
  }

  sleep(millis: number): Promise<void> {
    if (millis === 0) return Promise.resolve()
    return new Promise((resolve) => void this.after(millis, resolve))
  }

  after(millis: number, fire: () => void): VirtualTimer {
    return this.add(fire, millis, 0)
  }

  /** Moves both hands, and lets everything that is due happen at its instant. */
  async advance(millis: number): Promise<void> {
    const end = this.elapsed + millis
    await this.settle()
    for (let at = this.timers.next(); at <= end; at = this.timers.next()) {
      this.elapsed = Math.max(this.elapsed, at)
      this.fireDue()
      await this.settle()
    }
    this.elapsed = end
  }

  /** The wall clock is set, or the process is restored from a snapshot: only the wall's hand moves. */
  jumpWall(millis: number): void {
    this.wallOffset += millis
  }

  /** The machine sleeps: both hands have moved when the process runs again, and all timers are late. */
  async freeze(millis: number): Promise<void> {
    this.elapsed += millis
    this.fireDue()
    await this.settle()
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    let quiet = 0
    let seen = this.signs
    let flyingSince = Infinity
    for (let turns = 0; quiet < QUIET_TURNS; turns++) {
      await turn()
      if (turns > MOST_TURNS) throw new Exhausted("the pool went on working without end at one instant")
      if (realNow() > this.giveUpAt) throw new Exhausted("the case took too long")
      if (this.inFlight > 0) {
        flyingSince = Math.min(flyingSince, realNow())
        if (realNow() - flyingSince > LONGEST_FLIGHT) throw new Exhausted("a socket of the kit did not answer")
        if (turns % 64 === 63) await pause(1)
        quiet = 0
      } else {
        flyingSince = Infinity
        quiet = seen === this.signs ? quiet + 1 : 0
      }
      seen = this.signs
    }
  }

  install(seed: number): void {
    const own = (target: object, key: string, value: unknown) => {
      const before = Object.getOwnPropertyDescriptor(target, key)
      Object.defineProperty(target, key, { value, configurable: true, writable: true, enumerable: true })
      this.restore.push(() => {
        if (before === undefined) Reflect.deleteProperty(target, key)
        else Object.defineProperty(target, key, before)
      })
    }
    const monotonic = () => FIRST_MONOTONIC + this.elapsed
    own(
      globalThis,
      "setTimeout",
      (f: () => void, millis?: number, ...args: Array<unknown>) => this.add(f, millis, 0, args)
    )
    own(
      globalThis,
      "setInterval",
      (f: () => void, millis?: number, ...args: Array<unknown>) =>
        this.add(f, millis, Math.max(1, Number(millis) || 1), args)
    )
    const clear = (timer: unknown) => {
      if (timer instanceof VirtualTimer) timer.close()
      // One that was set before, of which nothing but the machine's own clear knows the type.
      else Reflect.apply(realClearTimeout, globalThis, [timer])
    }
    own(globalThis, "clearTimeout", clear)
    own(globalThis, "clearInterval", clear)
    own(globalThis, "Date", dateOn(() => FIRST_WALL + this.elapsed + this.wallOffset))
    own(performance, "now", monotonic)
    own(process.hrtime, "bigint", () => BigInt(Math.round(monotonic() * 1e6)))
    own(Math, "random", Seeded.numbers(seed))
  }

  /** Gives the real ones back. Timers that are still armed never fire. */
  uninstall(): void {
    for (const undo of this.restore.toReversed()) undo()
    this.restore = []
    this.timers.clear()
  }

  private add(f: (...args: Array<unknown>) => void, millis: unknown, every: number, args: Array<unknown> = []) {
    this.signs++
    // As on Node: what is not a number of at least 1 is 1.
    const wait = Math.max(1, Number(millis) || 1)
    const timer = new VirtualTimer(() => f(...args), every)
    this.timers.add(timer, this.elapsed + wait)
    return timer
  }

  private fireDue(): void {
    for (const timer of this.timers.takeDue(this.elapsed)) {
      if (!timer.isArmed) continue
      this.signs++
      if (timer.every > 0) this.timers.add(timer, this.elapsed + timer.every)
      else timer.close()
      try {
        timer.fire()
      } catch (error) {
        this.thrown ??= error
      }
    }
  }
}

const RealDate = Date

const dateOn = (now: () => number) =>
  class extends RealDate {
    constructor(...args: Array<unknown>) {
      // Reflect passes on whatever a caller may give to `new Date`.
      super(...(args.length === 0 ? [now()] : args) as [number])
    }

    static override now(): number {
      return now()
    }
  }
