/**
 * The parts put together: clients of the driver, the calls on them, what watches and steers both.
 *
 * There is one client at a time. `clear` and `pause` do away with it, since the driver cannot clear its pool by itself:
 * it is closed when the calls on it have ended, and until then its connections count, and its pool's `max` too. The
 * next one is made when it is needed.
 *
 * @internal
 */
import { type Backend, type Detail, type Health, type Limits, type Particulars, probe } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import * as CallPolicy from "@breakwater/core/CallPolicy"
import * as Deadline from "@breakwater/core/Deadline"
import { EventHub } from "@breakwater/core/EventHub"
import * as LogLine from "@breakwater/core/LogLine"
import * as Operation from "@breakwater/core/Operation"
import * as Policy from "@breakwater/core/Policy"
import type { PolicyError } from "@breakwater/core/PolicyError"
import * as Pool from "@breakwater/core/Pool"
import type { Holder, PoolError } from "@breakwater/core/PoolError"
import type { PoolEvent } from "@breakwater/core/PoolEvent"
import * as ReadyLine from "@breakwater/core/ReadyLine"
import * as RetryBudget from "@breakwater/core/RetryBudget"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type Db, MongoClient } from "mongodb"
import type { MongoError } from "../MongoError.ts"
import { type Call, Calls, currentCall, type Slot, type Work } from "./calls.ts"
import { classify } from "./classify.ts"
import { Gate } from "./gate.ts"
import { Monitor } from "./monitor.ts"
import type { Settings } from "./settings.ts"

/** What a call may fail with. */
export type Failure = MongoError | PoolError | PolicyError

export interface Parts {
  readonly settings: Settings
  readonly backend: Backend
  readonly use: <A>(work: Work<A>, label: string | undefined) => Effect.Effect<A, Failure>
}

const HEALTH_LIMIT = Duration.seconds(1)

/** How long the end of a scope waits for calls, unless the backend was drained before. */
const CLOSE_GRACE = Duration.seconds(5)

/** How long the end of a client may take, which says goodbye to its sessions. */
const CLOSE_LIMIT = Duration.seconds(5)

const ping = (db: Db, options: { readonly signal: AbortSignal; readonly maxTimeMS: number }) =>
  db.command({ ping: 1 }, options)

class Server {
  readonly settings: Settings
  readonly policy: Policy.Policy<PolicyError>
  readonly monitor: Monitor
  readonly calls: Calls
  readonly events: EventHub<PoolEvent>
  private readonly gate: Gate
  private slot: Slot | undefined
  private slots = 0
  /** Clients that are not closed yet. */
  private readonly clients = new Set<MongoClient>()
  private cutByDrain: ReadonlyArray<Holder> = []
  private drained = false

  constructor(settings: Settings, clock: Clock.Clock, events: EventHub<PoolEvent>) {
    this.settings = settings
    this.policy = settings.policy()
    this.events = events
    this.monitor = new Monitor(settings, clock, events, currentCall)
    this.calls = new Calls(this.monitor, settings.database)
    this.gate = new Gate(this.monitor, settings.waitTimeout)
  }

  readonly current = (): Slot => this.slot ??= this.open()

  use<A>(work: Work<A>, label: string): Effect.Effect<A, Failure> {
    return Effect.withFiber((fiber) => {
      const operation = Operation.make(label, { idempotent: Operation.isMarkedIdempotent(fiber.context) })
      return Policy.run(
        this.policy,
        operation,
        (attempt) => Effect.andThen(this.gate.pass, attempt(this.once(work, label)))
      )
    })
  }

  get health(): Effect.Effect<Health> {
    const limit = Duration.toMillis(HEALTH_LIMIT)
    const work: Work<unknown> = (db, _, limits) => ping(db, limits)
    const label = `${this.settings.name}.health`
    return probe(
      Effect.andThen(this.gate.pass, Effect.suspend(() => this.calls.runBeyondLimit(this.current, label, limit, work)))
    )
  }

  /** Waits until `min` connections, at least one, are open. */
  get warm(): Effect.Effect<void, PoolError> {
    const reached = Effect.suspend(() => {
      if (!this.calls.open) return Effect.fail(this.calls.closed)
      const since = this.monitor.now()
      const { client } = this.current()
      const wanted = Math.max(1, this.settings.min)
      const answered = Effect.tryPromise({
        try: (signal) => ping(client.db(this.settings.database), { signal, maxTimeMS: this.settings.waitTimeout }),
        catch: (error) => this.unreachable(error)
      })
      return Effect.andThen(answered, this.until(() => this.monitor.open >= wanted || !this.calls.open)).pipe(
        Effect.timeoutOrElse({
          duration: Duration.millis(this.settings.waitTimeout),
          orElse: () => Effect.fail(this.monitor.acquireTimeout(this.monitor.now() - since, undefined))
        })
      )
    })
    return Effect.andThen(this.gate.pass, reached)
  }

  readonly clear = (options?: { readonly interrupt?: boolean | undefined }): Effect.Effect<void> =>
    Effect.andThen(this.replace(options?.interrupt ?? false), this.refill)

  readonly pause: Effect.Effect<void> = Effect.suspend(() => {
    if (this.gate.paused || !this.calls.open) return Effect.void
    this.gate.pause()
    this.events.publish?.({ _tag: "Paused" })
    return this.replace(false)
  })

  readonly resume: Effect.Effect<void> = Effect.suspend(() => {
    if (!this.gate.paused) return Effect.void
    this.gate.resume()
    this.events.publish?.({ _tag: "Resumed" })
    return this.refill
  })

  private get refill(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.settings.min > 0 && this.slots > 0 && !this.gate.paused && this.calls.open
        ? Effect.asVoid(Effect.forkDetach(Policy.detached(Effect.ignore(this.warm))))
        : Effect.void
    )
  }

  /** Whoever calls next gets another client. */
  private replace(interrupt: boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      const old = this.slot
      if (old === undefined || !this.calls.open) return Effect.void
      this.slot = undefined
      if (interrupt) this.calls.cut(old.calls, "Cleared")
      const closed = Effect.andThen(this.until(() => old.calls.size === 0 || !this.calls.open), this.close(old.client))
      return Effect.asVoid(Effect.forkDetach(Policy.detached(closed)))
    })
  }

  readonly drain = (deadline: Duration.Input): Effect.Effect<Pool.DrainReport> =>
    Effect.suspend(() => {
      const since = this.monitor.now()
      if (this.calls.open) this.events.publish?.({ _tag: "Draining" })
      this.calls.open = false
      this.gate.resume()
      const cut = Effect.sync(() => {
        this.cutByDrain = this.cutByDrain.concat(this.calls.cut())
      })
      return Effect.timeoutOrElse(this.until(() => this.calls.size === 0), { duration: deadline, orElse: () => cut })
        .pipe(
          Effect.andThen(Effect.forEach(this.clients, (client) => this.close(client), { concurrency: "unbounded" })),
          Effect.map(() => {
            if (!this.drained) this.events.publish?.({ _tag: "Drained", cut: this.cutByDrain.length })
            this.drained = true
            const leftOpen = this.monitor.open + this.monitor.standing.opening
            return { took: this.since(since), cut: this.cutByDrain, leftOpen }
          })
        )
    })

  private once<A>(work: Work<A>, label: string): Effect.Effect<A, MongoError | PoolError> {
    const { timeout = Duration.infinity } = Policy.limits(this.policy)
    return Effect.flatMap(
      Deadline.remaining,
      (left) => this.calls.run(this.current, label, Duration.toMillis(Duration.min(left, timeout)), work)
    )
  }

  get particulars(): Particulars {
    const { servers, type } = this.slot?.topology ?? {}
    if (type === undefined || servers === undefined) return {}
    const known = [...servers].filter(([, server]) => server.type !== "Unknown")
    return { topology: { type, servers: known.map(([address]) => address) } }
  }

  private open(): Slot {
    const client = new MongoClient(Redacted.value(this.settings.uri), this.settings.driver)
    this.monitor.attach(client, `${this.slots++}/`)
    this.clients.add(client)
    // mongodb 7.8 keeps the topology of a first connect that failed, which is closed, for ever; whoever calls next gets
    // another client.
    client.once("topologyClosed", () => {
      if (this.slot?.client === client) this.slot = undefined
      Effect.runFork(this.close(client))
    })
    const slot: Slot = { client, calls: new Set<Call>(), topology: undefined }
    client.on("topologyDescriptionChanged", ({ newDescription }) => {
      slot.topology = newDescription
    })
    return slot
  }

  /** Whoever closes it too waits for the same end. */
  private close(client: MongoClient): Effect.Effect<void> {
    return Effect.promise(() => client.close().catch(() => {})).pipe( // what it could not say goodbye to is gone
      Effect.timeoutOrElse({ duration: CLOSE_LIMIT, orElse: () => Effect.void }),
      Effect.andThen(Effect.sync(() => void this.clients.delete(client)))
    )
  }

  private unreachable(error: unknown): PoolError {
    const classified = classify(error, {
      pool: this.settings.name,
      started: 0,
      timedOut: () => this.monitor.acquireTimeout(this.settings.waitTimeout, undefined),
      ended: () => this.calls.open ? undefined : this.calls.closed
    })
    return classified._tag === "PoolError" ? classified : this.monitor.unavailable(classified)
  }

  private until(holds: () => boolean): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (holds()) return resume(Effect.void)
      const stop = this.monitor.watch(() => {
        if (!holds()) return
        stop()
        resume(Effect.void)
      })
      return Effect.sync(stop)
    })
  }

  private since(start: number): Duration.Duration {
    return Duration.millis(this.monitor.now() - start)
  }
}

const readyOf = ({ policy, settings }: Server): ReadyLine.Options => {
  const { driver, hosts, maxWaiting, missing, readPreference, start } = settings
  const { serverSelectionTimeoutMS: selection = 0, socketTimeoutMS: socket = 0 } = driver
  return {
    at: hosts,
    policy: Policy.snapshot(policy),
    facts: {
      start: LogLine.unless(start, "background"),
      max_waiting: maxWaiting,
      server_selection: Duration.millis(selection),
      socket: Duration.millis(socket),
      compressors: LogLine.unless(driver.compressors?.toString(), ""),
      compressors_not_loaded: LogLine.unless(missing.join(","), ""),
      read_preference: LogLine.unless(readPreference, "primary"),
      tls: ReadyLine.tls(driver.tls === true)
    }
  }
}

/** That are named at once. */
const HOLDERS = 5

/** Each operation has a connection for itself alone, for as long as it takes. */
const detailOf = ({ calls, monitor }: Server): Detail => {
  const use = monitor.times.use.snapshot()
  const { create, wait } = monitor.times
  return {
    times: { wait: wait.snapshot(), use, create: create.snapshot(), operation: use },
    holders: calls.holders(HOLDERS),
    failures: monitor.failures,
    lastError: monitor.lastError
  }
}

const limitsOf = ({ policy, settings: { driver: { connectTimeoutMS }, waitTimeout } }: Server): Limits => ({
  wait: Duration.millis(waitTimeout),
  dial: connectTimeoutMS === undefined ? undefined : Duration.millis(connectTimeoutMS),
  ...Policy.limits(policy)
})

const backendOf = (server: Server): Backend => {
  const { monitor, policy, settings } = server
  return {
    name: settings.name,
    kind: "mongodb",
    critical: settings.critical,
    profile: settings.profile,
    poolType: settings.poolType,
    overrides: settings.overrides,
    get limits() {
      return limitsOf(server)
    },
    stats: Effect.sync(() => monitor.stats()),
    health: server.health,
    policy: Effect.sync(() => Policy.snapshot(policy)),
    ...CallPolicy.steering([policy]),
    events: Stream.merge(server.events.stream, Policy.events(policy), { haltStrategy: "left" }),
    changes: Stream.merge(server.events.changes, Policy.changes(policy), { haltStrategy: "left" }),
    detail: Effect.sync(() => detailOf(server)),
    particulars: Effect.sync(() => server.particulars),
    warm: server.warm,
    clear: server.clear,
    drain: server.drain,
    pause: server.pause,
    resume: server.resume
  }
}

const startOf = (server: Server): Effect.Effect<void, PoolError, Scope.Scope> => {
  switch (server.settings.start) {
    case "lazy":
      return Effect.void
    case "fail-fast":
      return server.warm
    case "background":
      return RetryBudget.reconnecting(server.settings.budget, server.warm).pipe(
        Effect.retry({
          schedule: Schedule.spaced(Duration.millis(server.settings.redial)),
          while: ({ reason }) => reason._tag !== "Closed"
        }),
        Effect.ignore,
        Effect.forkScoped,
        Effect.asVoid
      )
  }
}

export const make = (settings: Settings): Effect.Effect<Parts, PoolError, Scope.Scope> =>
  Effect.gen(function*() {
    for (const warning of settings.warnings) yield* Effect.logWarning(`mongodb "${settings.name}": ${warning}`)
    const events = yield* EventHub.make<PoolEvent>()
    const server = new Server(settings, yield* Clock.Clock, events)
    yield* Effect.addFinalizer(() => Effect.andThen(server.drain(CLOSE_GRACE), events.end))
    // The scope may go on for long after, and `make` may be tried again in it.
    yield* Effect.onError(startOf(server), () => server.drain(0))
    const backend = backendOf(server)
    yield* Pool.showMetrics(settings.name, { stats: () => server.monitor.stats(), times: server.monitor.times })
    yield* Backends.register(backend)
    yield* ReadyLine.write(backend, readyOf(server))
    return { settings, backend, use: (work, label) => server.use(work, label ?? `${settings.name}.use`) }
  })
