/** A pool whose dials, checks and closes end when they are told to, on a clock and a scheduler moved by hand. */
import { Clock, Data, Effect, type Exit, type Fiber, Schedule, Scheduler, Scope, Stream } from "effect"
import * as Pool from "../../../src/pool/Pool.ts"
import { type PoolError } from "../../../src/pool/PoolError.ts"
import type { PoolEvent } from "../../../src/pool/PoolEvent.ts"
import { ManualClock, ManualScheduler, ParkingScheduler } from "./manual.ts"
import * as V from "./vocabulary.ts"

export class Failed extends Data.TaggedError("Failed") {}

export interface Item {
  /** The number of its dial. */
  readonly id: number
  alive: boolean
  isCorpse: boolean
}

/** Something that the pool waits for. */
export interface Pending<A> {
  readonly item: Item
  readonly answer: (exit: Effect.Effect<A, Failed>) => void
}

export interface Borrow {
  readonly request: V.Request
  readonly via: "use" | "get"
  readonly parking: ParkingScheduler | undefined
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  exit: Exit.Exit<unknown, PoolError | Failed> | undefined
  /** The work, once it has a connection. */
  work: Pending<void> | undefined
  begun: boolean
  interrupted: boolean
}

export class World {
  readonly scheduler = new ManualScheduler()
  readonly clock = new ManualClock()
  readonly scope = Scope.makeUnsafe()
  /** What runs, in the order in which it began. */
  readonly dials: Array<Pending<Item>> = []
  /** And resets. */
  readonly checks: Array<Pending<void>> = []
  readonly closes: Array<Pending<void>> = []
  /** From the end of the dial to the beginning of the close. */
  readonly open = new Set<Item>()
  private dialled = 0
  readonly events: Record<string, number> = {}
  readonly pool: Pool.Pool<Item>

  constructor(settings: V.Settings) {
    this.pool = Effect.runSync(this.provide(Pool.make(this.options(settings))))
    this.run(Stream.runForEach(Pool.events(this.pool), (event) => Effect.sync(() => this.heard(event))))
    this.scheduler.run()
  }

  stats(): Pool.Stats {
    return Effect.runSync(Pool.stats(this.pool))
  }

  run<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runFork(this.provide(effect))
  }

  borrow(request: V.Request, via: "use" | "get", parkAt: number | undefined): Borrow {
    const parking = parkAt === undefined ? undefined : new ParkingScheduler(parkAt)
    const idle = { fiber: undefined, exit: undefined, work: undefined, begun: false, interrupted: false }
    const borrow: Borrow = { request, via, parking, ...idle }
    const { key, priority, timeout } = request
    const work = (item: Item) =>
      this.pending<void>(item, (begun) => (borrow.work = begun), () => (borrow.work = undefined))
    const options = { key, priority, timeout }
    const effect = via === "use"
      ? Pool.use(this.pool, work, options)
      : Effect.scoped(Effect.flatMap(Pool.get(this.pool, options), work))
    const fiber = Effect.runFork(this.provide(effect, parking))
    borrow.fiber = fiber
    fiber.addObserver((exit) => (borrow.exit = exit))
    return borrow
  }

  private heard(event: PoolEvent): void {
    this.events[event._tag] = (this.events[event._tag] ?? 0) + 1
    if (event._tag === "Acquired" && event.reused) this.events["Reused"] = (this.events["Reused"] ?? 0) + 1
  }

  private options(settings: V.Settings): Pool.Options<Item, Failed, never> {
    const ask = (item: Item) => this.pending<void>(item, ...inList(this.checks))
    const { concurrency, failFast, keep, lazy, max, maxHold, maxWaiting, min, tested } = settings
    return {
      name: "model",
      acquire: Effect.acquireRelease(this.dial, (item) => this.close(item), { interruptible: !settings.stubborn }),
      size: { min, max, keep },
      start: lazy ? "lazy" : "background",
      wait: { maxWaiting, failFast, maxHold },
      dial: { timeout: V.DIAL_TIMEOUT, concurrency, backoff: Schedule.spaced(V.BACKOFF) },
      lifetime: { max: "Infinity", idle: "Infinity" },
      check: {
        keepalive: "Infinity",
        test: tested ? ask : undefined,
        skipWithin: V.SKIP_WITHIN,
        timeout: V.CHECK_TIMEOUT,
        isAlive: (item) => item.alive
      },
      onReturn: settings.resets ? ask : undefined
    }
  }

  private readonly dial = Effect.suspend(() =>
    Effect.tap(
      this.pending<Item>({ id: ++this.dialled, alive: true, isCorpse: false }, ...inList(this.dials)),
      (item) => Effect.sync(() => this.open.add(item))
    )
  )

  /** What was dead when it opened closes at once, as the other end has closed already. */
  private close(item: Item): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.open.delete(item)
      return item.isCorpse ? Effect.void : Effect.orDie(this.pending<void>(item, ...inList(this.closes)))
    })
  }

  private pending<A>(
    item: Item,
    add: (pending: Pending<A>) => void,
    forget: (pending: Pending<A>) => void
  ): Effect.Effect<A, Failed> {
    return Effect.callback((resume) => {
      const pending = {
        item,
        answer: (exit: Effect.Effect<A, Failed>) => {
          forget(pending)
          resume(exit)
        }
      }
      add(pending)
      return Effect.sync(() => forget(pending))
    })
  }

  private provide<A, E>(
    effect: Effect.Effect<A, E, Scope.Scope>,
    scheduler: Scheduler.Scheduler = this.scheduler
  ): Effect.Effect<A, E> {
    return effect.pipe(
      Effect.provideService(Scope.Scope, this.scope),
      Effect.provideService(Clock.Clock, this.clock),
      Effect.provideService(Scheduler.Scheduler, scheduler)
    )
  }
}

const inList = <A>(list: Array<Pending<A>>) =>
  [
    (pending: Pending<A>) => void list.push(pending),
    (pending: Pending<A>) => {
      const at = list.indexOf(pending)
      if (at !== -1) list.splice(at, 1)
    }
  ] as const
