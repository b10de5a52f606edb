/** A scheduler and a clock that move only when told, so that a run is the same every time, and whole when it returns. */
import { type Clock, Duration, Effect, type Scheduler } from "effect"

export class ManualScheduler implements Scheduler.Scheduler {
  readonly executionMode = "async"
  private tasks: Array<() => void> = []

  shouldYield(): boolean {
    return false
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return { scheduleTask: (task) => void this.tasks.push(task), flush: () => this.run() }
  }

  /** Until nothing is left to do. */
  run(): void {
    for (let task = this.tasks.shift(); task !== undefined; task = this.tasks.shift()) task()
  }
}

/** Yields once, at operation `at`, and stays parked there until it is told to go on. */
export class ParkingScheduler implements Scheduler.Scheduler {
  readonly executionMode = "async"
  private parked: (() => void) | undefined
  private operations = 0
  private readonly at: number

  constructor(at: number) {
    this.at = at
  }

  get isParked(): boolean {
    return this.parked !== undefined
  }

  shouldYield(): boolean {
    return this.operations++ === this.at
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return { scheduleTask: (task) => void (this.parked = task), flush: () => this.goOn() }
  }

  goOn(): void {
    const task = this.parked
    this.parked = undefined
    task?.()
  }
}

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

export class ManualClock implements Clock.Clock {
  private now = 0
  private sleepers: Array<Sleeper> = []
  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  get sleeping(): number {
    return this.sleepers.length
  }

  currentTimeMillisUnsafe(): number {
    return this.now
  }

  currentTimeNanosUnsafe(): bigint {
    return BigInt(this.now) * 1_000_000n
  }

  monotonicTimeNanosUnsafe(): bigint {
    return this.currentTimeNanosUnsafe()
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const sleeper = { at: this.now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
      this.sleepers.push(sleeper)
      return Effect.sync(() => this.forget(sleeper))
    })
  }

  /** Wakes who sleeps until then, the earliest first, and lets each do what it does before the next wakes. */
  advance(millis: number, scheduler: ManualScheduler): void {
    const end = this.now + millis
    for (let next = this.next(end); next !== undefined; next = this.next(end)) {
      this.now = next.at
      this.forget(next)
      next.wake()
      scheduler.run()
    }
    this.now = end
  }

  private next(end: number): Sleeper | undefined {
    const due = this.sleepers.filter((one) => one.at <= end)
    return due.toSorted((a, b) => a.at - b.at)[0]
  }

  private forget(sleeper: Sleeper): void {
    this.sleepers = this.sleepers.filter((one) => one !== sleeper)
  }
}
