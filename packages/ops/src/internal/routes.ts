/**
 * The endpoints: which path gives what to whom.
 *
 * @internal
 */
import * as Backends from "@breakwater/core/Backends"
import * as Lifecycle from "@breakwater/core/Lifecycle"
import * as Monotonic from "@breakwater/core/Monotonic"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as OpsHealth from "../OpsHealth.ts"
import * as OpsStats from "../OpsStats.ts"
import type { Access } from "./access.ts"
import * as Answer from "./answer.ts"
import { contentSecurityPolicy, html } from "./dashboard/page.ts"
import { HealthChecks } from "./health.ts"
import * as Prometheus from "./prometheus.ts"
import { collect, poolInfo, type Sources } from "./stats.ts"
import * as LiveStream from "./stream.ts"
import { Windows } from "./window.ts"

export interface Settings {
  readonly service: string
  readonly access: Access
  readonly publicPage: boolean
  readonly readers: number
  /** Whether `/stats` has the names of the guides too. */
  readonly guideStats: boolean
  /** Where no `Lifecycle` is around. */
  readonly phase: Effect.Effect<Lifecycle.Phase> | undefined
}

const liveJson = Answer.json(OpsHealth.Live)
const readyJson = Answer.json(OpsHealth.Ready)
const poolsJson = Answer.json(OpsHealth.Pools)
const statsJson = Answer.json(OpsStats.Stats)
const databaseJson = Answer.json(OpsStats.Database)

const live = Effect.succeed(liveJson({ status: "alive" }))

/** Not in any other phase: who must not get requests need not ask anybody why. */
const ready = ({ checks, phase }: Sources) =>
  Effect.gen(function*() {
    const now = yield* phase
    if (now !== null && now !== "ready") return readyJson({ status: "not ready", phase: now, backends: {} }, 503)
    const { backends: reports, status } = yield* checks.critical
    const backends = Object.fromEntries(Object.entries(reports).map(([label, report]) => [label, report.status]))
    return status === "healthy"
      ? readyJson({ status: "ready", phase: now, backends })
      : readyJson({ status: "not ready", phase: now, backends }, 503)
  })

const pools = ({ checks }: Sources, access: Access) =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const inFull = (yield* access(request)) === "granted"
    const report = yield* checks.all
    return poolsJson(OpsHealth.poolsOf(report, inFull), report.status === "healthy" ? 200 : 503)
  })

const DATABASES = new Set(["postgres", "mongodb"])

/** The first database that is registered, or the one of the query. */
const database = ({ checks }: Sources) =>
  Effect.gen(function*() {
    const wanted = (yield* HttpServerRequest.ParsedSearchParams)["backend"]
    const entries = yield* Backends.list
    const entry = wanted === undefined
      ? entries.find(({ backend }) => DATABASES.has(backend.kind))
      : entries.find(({ label }) => label === wanted)
    if (entry === undefined) return Answer.empty(404)
    const { backend, label } = entry
    const { backends } = yield* checks.all
    const healthy = backends[label]?.status === "healthy"
    const detail = yield* backend.detail ?? Effect.undefined
    const timestamp = new Date(yield* Clock.currentTimeMillis).toISOString()
    const { max } = yield* backend.stats
    return databaseJson({
      success: true,
      data: {
        healthy,
        totalQueries: detail?.times.operation?.count ?? 0,
        totalErrors: detail?.failures ?? 0,
        poolInfo: poolInfo(max, backend.limits),
        timestamp
      }
    })
  })

const page = Effect.succeed(Answer.text(html, "text/html; charset=utf-8", {
  "content-security-policy": contentSecurityPolicy,
  "referrer-policy": "no-referrer"
}))

const sourcesOf = ({ phase, service }: Settings) =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const lifecycle = yield* Effect.serviceOption(Lifecycle.Lifecycle)
    const windows = new Windows()
    yield* Effect.forkScoped(windows.run)
    const sources: Sources = {
      service,
      startedAt: Monotonic.millis(clock),
      phase: Option.match(lifecycle, {
        onNone: () => phase ?? Effect.succeed(null),
        onSome: (found) => found.phase
      }),
      windows,
      checks: yield* HealthChecks.make
    }
    return sources
  })

type Request = HttpServerRequest.HttpServerRequest | HttpServerRequest.ParsedSearchParams

type Answered = Effect.Effect<HttpServerResponse.HttpServerResponse, never, Request>

/** Backends and metrics are those that are around here, whoever serves the requests. */
const within = (context: Context.Context<never>) => (answer: Answered): Answered =>
  Effect.updateContext(answer, (request: Context.Context<Request>) => Context.merge(context, request))

/** All routes, under a prefix. */
export const add = (prefix: string, settings: Settings) =>
  Effect.gen(function*() {
    const { access } = settings
    const sources = yield* sourcesOf(settings)
    const places = new LiveStream.Places(settings.readers)
    const context = yield* Effect.context<never>()
    const guarded = (answer: Answered) => Answer.guarded(access, answer)
    const metrics = Effect.map(Prometheus.format, (body) => Answer.text(body, Prometheus.contentType))
    const events = Answer.bodyless(LiveStream.answer(sources, places, context))
    const answers: Record<string, Answered> = {
      "/health": Answer.open(pools(sources, access)),
      "/health/live": Answer.open(live),
      "/health/ready": Answer.open(ready(sources)),
      "/health/pools": Answer.open(pools(sources, access)),
      "/stats": guarded(Effect.map(collect(sources, settings.guideStats), (stats) => statsJson(stats))),
      "/stats/database": guarded(database(sources)),
      "/metrics": guarded(metrics),
      "/pools": settings.publicPage ? Answer.open(page) : guarded(page),
      "/pools/stream": guarded(events)
    }
    const router = yield* HttpRouter.HttpRouter
    yield* Effect.forEach(
      Object.entries(answers),
      // Every method: what is not allowed is said by the answer.
      ([path, answer]) => router.add("*", `/${`${prefix}${path}`.slice(1)}`, within(context)(answer)),
      { discard: true }
    )
  })
