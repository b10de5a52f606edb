/**
 * The parts put together: origins, the client over them, what watches them.
 *
 * @internal
 */
import { type Backend, type Detail, type Health, type Limits, type Particulars, probe } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import type * as OutlierEjection from "@breakwater/core/OutlierEjection"
import * as Policy from "@breakwater/core/Policy"
import * as Pool from "@breakwater/core/Pool"
import * as ReadyLine from "@breakwater/core/ReadyLine"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { HttpClient } from "effect/http/HttpClient"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Dispatcher } from "undici/index.js"
import * as Client from "./client.ts"
import { PoolDispatcher } from "./dispatcher.ts"
import { Origins } from "./origins.ts"
import { probe as ask } from "./send.ts"
import type { Settings } from "./settings.ts"
import { connectionsOf, type Stats, statsOf } from "./stats.ts"
import type { Base } from "./url.ts"

export interface Parts {
  readonly settings: Settings
  readonly client: HttpClient
  readonly dispatcher: Dispatcher
  readonly stats: Effect.Effect<Stats>
  readonly ejections: Stream.Stream<OutlierEjection.OutlierEvent>
  readonly backend: Backend
}

const HEALTH_LIMIT = Duration.seconds(1)

const probeOf = (origins: Origins, base: Base): Effect.Effect<void, unknown> => {
  const { healthPath, userAgent } = origins.settings
  const authorization = base.authorization === undefined ? {} : { authorization: Redacted.value(base.authorization) }
  const outgoing = {
    method: "HEAD",
    url: new URL(healthPath.slice(1), base.href),
    headers: { "user-agent": userAgent, ...authorization },
    body: () => null,
    idempotent: true,
    follow: false
  }
  return ask(origins, outgoing, HEALTH_LIMIT)
}

/** Without a server to ask, what the last requests met. */
const openCircuits = (origins: Origins): Effect.Effect<void, unknown> =>
  Effect.suspend(() => {
    const open = statsOf(origins).origins.filter(({ circuit }) => circuit === "open").map(({ origin }) => origin)
    return open.length === 0 ? Effect.void : Effect.fail(new Error(`the circuit is open: ${open.join(", ")}`))
  })

/** Of several equals one that answers will do. */
const ASKED = 3

const health = (origins: Origins): Effect.Effect<Health> => {
  const { settings: { base }, upstream } = origins
  if (base === undefined) return probe(openCircuits(origins))
  return probe(
    upstream === undefined
      ? probeOf(origins, base)
      : Effect.flatMap(upstream.sample(ASKED), (bases) => Effect.raceAll(bases.map((one) => probeOf(origins, one))))
  )
}

/** Origins first: what holds a connection of theirs also holds a permit. */
const drain = (origins: Origins, deadline: Duration.Input): Effect.Effect<Pool.DrainReport> => {
  const millis = Duration.toMillis(Duration.fromInputUnsafe(deadline))
  return Effect.gen(function*() {
    const [took, reports] = yield* Effect.timed(origins.drain(millis))
    yield* Pool.drain(origins.permits, 0)
    return {
      took,
      cut: reports.flatMap((report) => report.cut),
      leftOpen: reports.reduce((sum, report) => sum + report.leftOpen, 0)
    }
  })
}

const limitsOf = ({ pattern, settings: { connectTimeout: dial, wait } }: Origins): Limits => ({
  wait: wait.timeout,
  dial,
  ...Policy.limits(pattern)
})

/** A request holds a connection for as long as it has a permit of the total. */
const detailOf = ({ permits, sent, sockets, times }: Origins): Effect.Effect<Detail> =>
  Effect.map(Pool.detail(permits), ({ holders }) => ({
    times: {
      wait: times.wait.snapshot(),
      use: times.use.snapshot(),
      create: sockets.create.snapshot(),
      operation: sent.times.snapshot()
    },
    failures: sent.failures,
    holders,
    lastError: sockets.lastError
  }))

const particularsOf = (origins: Origins): Particulars => ({
  origins: {
    max: origins.settings.perOrigin,
    used: Object.fromEntries(origins.list().map((one) => [one.origin, origins.poolStats(one).used]))
  }
})

const backendOf = (origins: Origins): Backend => ({
  name: origins.settings.name,
  kind: "http",
  critical: origins.settings.critical,
  profile: origins.settings.profile,
  poolType: origins.settings.poolType,
  overrides: origins.settings.overrides,
  get limits() {
    return limitsOf(origins)
  },
  stats: Effect.sync(() => statsOf(origins)),
  health: health(origins),
  policy: Effect.sync(() => origins.snapshot()),
  update: (changes) => origins.update(changes),
  breaker: origins.settings.parts.breaker && origins.breaker,
  events: origins.events,
  changes: origins.changes,
  detail: detailOf(origins),
  particulars: Effect.sync(() => particularsOf(origins)),
  warm: warm(origins),
  clear: (options) => origins.clear(options),
  drain: (deadline) => drain(origins, deadline),
  pause: origins.pause,
  resume: origins.resume
})

/** Opens one connection to each, where it is known to whom. A server that does not answer is for `health` to tell. */
const warm = (origins: Origins): Effect.Effect<void> =>
  Effect.forEach(
    basesOf(origins.settings),
    (one) => Effect.ignore(Effect.timeout(probeOf(origins, one), HEALTH_LIMIT)),
    { concurrency: "unbounded", discard: true }
  )

const basesOf = ({ base, hosts }: Settings): ReadonlyArray<Base> => {
  if (hosts.length > 0) return hosts
  return base === undefined ? [] : [base]
}

const tlsOf = (settings: Settings): string => {
  const encrypted = new Set(basesOf(settings).map(({ origin }) => origin.startsWith("https:")))
  const [all] = encrypted
  return all === undefined || encrypted.size > 1 ? "as each URL says" : ReadyLine.tls(all, settings.tls)
}

const readyOf = ({ pattern, settings }: Origins): ReadyLine.Options => {
  const { bodyTimeout, dnsTtl, headersTimeout, keepAlive, origins, perOrigin, redirects } = settings
  return {
    at: basesOf(settings).map(({ origin }) => origin).join(",") || undefined,
    // Each origin has one like it, from its first request on.
    policy: Policy.snapshot(pattern),
    facts: {
      per_origin: perOrigin,
      origins,
      keep_alive: keepAlive ?? "off",
      headers: headersTimeout,
      body: bodyTimeout,
      redirects,
      dns: dnsTtl,
      tls: tlsOf(settings)
    }
  }
}

export const make = (settings: Settings): Effect.Effect<Parts, never, Scope.Scope> =>
  Effect.gen(function*() {
    for (const warning of settings.warnings) yield* Effect.logWarning(`http "${settings.name}": ${warning}`)
    // Permits open nothing, so their pool has nothing to fail with.
    const origins = yield* Effect.orDie(Origins.make(settings))
    const backend = backendOf(origins)
    yield* Pool.showMetrics(settings.name, {
      stats: () => connectionsOf(origins),
      times: { ...origins.times, create: origins.sockets.create }
    })
    yield* Backends.register(backend)
    yield* ReadyLine.write(backend, readyOf(origins))
    return {
      settings,
      client: Client.make(origins),
      dispatcher: new PoolDispatcher(origins, yield* Effect.context<never>()),
      stats: Effect.sync(() => statsOf(origins)),
      ejections: origins.upstream?.ejections ?? Stream.never,
      backend
    }
  })
