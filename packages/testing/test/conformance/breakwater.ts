/** Breakwater's own pool. */
import { Deadline, Operation, Policy, Pool, PoolError, type PoolEvent } from "@breakwater/core"
import { Context, Duration, Effect, Exit, Fiber, Metric, Scope, Stream } from "effect"
import type { Conformance } from "../../src/index.ts"
import { Leases, open } from "./leases.ts"
import { versionOf } from "./versions.ts"

type Borrowing = Conformance.BorrowOptions | undefined

const operation = Operation.make("borrow", { idempotent: true })

const within = <A, E, R>(effect: Effect.Effect<A, E, R>, options: Borrowing): Effect.Effect<A, unknown, R> =>
  options?.deadline === undefined
    ? effect
    : Policy.run(Deadline.make(options.deadline), operation, (attempt) => attempt(effect))

const useOptions = (options: Borrowing): Pool.UseOptions => ({
  key: options?.key,
  priority: options?.priority,
  label: options?.label
})

const optionsOf = (setup: Conformance.Setup): Pool.Options<Conformance.Connection, unknown, never> => {
  const { check, server } = setup
  return {
    name: "conformance",
    acquire: open(server),
    size: { min: setup.min, max: setup.max, keep: setup.keep },
    wait: { timeout: setup.timeout, maxWaiting: setup.maxWaiting, failFast: setup.failFast, codel: setup.codel },
    dial: { timeout: setup.dialTimeout, concurrency: setup.dialConcurrency },
    onReturn: setup.reset === true ? (connection) => Effect.tryPromise(() => server.reset(connection)) : undefined,
    leak: setup.leakAfter === undefined ? undefined : { after: setup.leakAfter },
    lifetime: { max: setup.lifetime },
    check: {
      isAlive: (connection) => connection.isAlive,
      ...(check && {
        test: (connection) => Effect.tryPromise(() => server.check(connection)),
        skipWithin: check.skipWithin,
        timeout: check.timeout,
        keepalive: check.keepalive
      })
    }
  }
}

/** How a borrow may end. */
const ends = [
  "acquired",
  "timedOut",
  "refused",
  "shed",
  "cancelled",
  "unavailable",
  "nested",
  "refusedClosed"
] as const

const statsOf = (stats: Pool.Stats): Conformance.Stats => {
  const { checking, closing, idle, opening, used, waiting } = stats
  return {
    idle,
    used,
    waiting,
    opening,
    checking,
    closing,
    ended: Object.fromEntries(ends.map((end) => [end, stats[end]]))
  }
}

const kinds: Readonly<Record<string, Conformance.Failure["kind"]>> = {
  AcquireTimeout: "timeout",
  QueueFull: "full",
  Shed: "shed",
  Unavailable: "unavailable",
  NestedAcquire: "nested",
  Revoked: "revoked",
  Closed: "closed"
}

const failureOf = (error: unknown): Conformance.Failure => {
  if (!PoolError.isPoolError(error)) return {}
  const { reason } = error
  const kind = kinds[reason._tag]
  if (reason._tag === "Unavailable") return { kind, connectError: reason.cause }
  if (reason._tag !== "AcquireTimeout") return { kind }
  const { connectError, oldestHolder, phase, stats } = reason
  return {
    kind,
    phase,
    stats: statsOf(stats),
    holder: oldestHolder && { ...oldestHolder, age: Duration.toMillis(oldestHolder.age) },
    connectError
  }
}

const eventOf = (event: PoolEvent.PoolEvent): Conformance.Event => ({
  tag: event._tag,
  ...("holder" in event && { label: event.holder.label, site: event.holder.site }),
  ...("fiber" in event && { fiber: event.fiber })
})

type Registry = (typeof Metric.MetricRegistry)["Service"]

const metricsIn = (registry: Registry): Pick<Conformance.Stats, "idle" | "used" | "waiting"> => {
  const shown = Effect.runSync(Effect.provideService(Metric.snapshot, Metric.MetricRegistry, registry))
  const gauge = (id: string, state?: string) => {
    const found = shown.find((each) => each.id === id && each.attributes?.["db.client.connection.state"] === state)
    return found?.type === "Gauge" ? Number(found.state.value) : NaN
  }
  return {
    idle: gauge("db.client.connection.count", "idle"),
    used: gauge("db.client.connection.count", "used"),
    waiting: gauge("db.client.connection.pending_requests")
  }
}

const faceOf = (
  pool: Pool.Pool<Conformance.Connection>,
  close: Effect.Effect<void>,
  registry: Registry
): Conformance.Pool => {
  const leases = new Leases()
  const useIn = (context: Context.Context<never>): Conformance.Use => (work, options) =>
    Effect.runPromiseWith(context)(within(
      Pool.use(
        pool,
        (connection) =>
          Effect.flatMap(
            Effect.context<never>(),
            (inner) => Effect.tryPromise({ try: () => work(connection, useIn(inner)), catch: (error) => error })
          ),
        useOptions(options)
      ),
      options
    ))
  return {
    acquire: (options) =>
      leases.take(
        within(Effect.withSpan(Pool.get(pool, useOptions(options)), "conformance"), options),
        options?.signal
      ),
    release: (connection) => leases.give(connection),
    invalidate: (connection) => Effect.runSync(Pool.invalidate(pool, connection)),
    stats: () => statsOf(Effect.runSync(Pool.stats(pool))),
    close: () => Effect.runPromise(close),
    use: useIn(Context.empty()),
    clear: (interrupt) => Effect.runSync(Pool.clear(pool, { interrupt })),
    pause: () => Effect.runSync(Pool.pause(pool)),
    resume: () => Effect.runSync(Pool.resume(pool)),
    resize: (size) => Effect.runSync(Pool.resize(pool, size)),
    drain: async (deadline) => {
      const report = await Effect.runPromise(Pool.drain(pool, deadline))
      return { cut: report.cut.length }
    },
    metrics: () => metricsIn(registry),
    events: (listener) => {
      const fiber = Effect.runFork(
        Stream.runForEach(Pool.events(pool), (event) => Effect.sync(() => listener(eventOf(event))))
      )
      return () => void Effect.runFork(Fiber.interrupt(fiber))
    }
  }
}

export const breakwater: Conformance.Adapter = {
  name: "breakwater",
  version: versionOf("@breakwater/core"),
  accepts: ["signal", "priority", "key"],
  describe: failureOf,
  make: async (setup) => {
    const scope = Scope.makeUnsafe()
    const registry: Registry = new Map()
    const make = Effect.provideService(Pool.make(optionsOf(setup)), Metric.MetricRegistry, registry)
    const pool = await Effect.runPromise(Scope.provide(make, scope))
    return faceOf(pool, Scope.close(scope, Exit.void), registry)
  }
}
