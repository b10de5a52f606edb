/** What the outside may ask about this process. */
import { Backends, Health, Lifecycle } from "@breakwater/core"
import { Effect, Option } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import * as StorefrontError from "./StorefrontError.ts"

/** Whether to restart the process. Asks no backend: a restart would not bring one back. */
export const live = HttpServerResponse.json({ status: "alive" })

/** Whether to send requests: the phase, and a round trip to each backend that the process is nothing without. */
export const ready = Effect.gen(function*() {
  const { phase } = yield* Lifecycle.Lifecycle
  const now = yield* phase
  if (now !== "ready") return yield* StorefrontError.make({ _tag: "NotReady", phase: now, backends: {} })
  const report = yield* Health.check({ criticalOnly: true })
  const backends = Object.fromEntries(Object.entries(report.backends).map(([label, { status }]) => [label, status]))
  return report.status === "healthy"
    ? yield* HttpServerResponse.json({ status: now, backends })
    : yield* StorefrontError.make({ _tag: "NotReady", phase: now, backends })
})

const loopback = new Set(["127.0.0.1", "::1", "::ffff:127.0.0.1"])

/** For this machine only; to the others it is not there. */
const local = <A, E, R>(answer: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const { remoteAddress, url } = yield* HttpServerRequest.HttpServerRequest
    return Option.exists(remoteAddress, (address) => loopback.has(address))
      ? yield* answer
      : yield* StorefrontError.make({ _tag: "NotFound", what: url })
  })

/** A round trip to each backend, and what its pool and its breaker look like. */
export const pools = local(Effect.flatMap(Health.check(), HttpServerResponse.json))

/** The counts of every pool and policy. Asks no backend, so that whoever watches does not disturb. */
export const stats = local(Effect.gen(function*() {
  const counts = yield* Effect.forEach(
    yield* Backends.list,
    ({ backend, label }) => Effect.zipWith(backend.stats, backend.policy, (pool, policy) => [label, { pool, policy }])
  )
  return yield* HttpServerResponse.json(Object.fromEntries(counts))
}))
