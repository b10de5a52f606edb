/** What the outside may ask about this process. */
import { Backends } from "@breakwater/core"
import { Effect, Option, Ref } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { Phase } from "./Phase.ts"
import * as StorefrontError from "./StorefrontError.ts"

/** Whether to restart the process. Asks no backend: a restart would not bring one back. */
export const live = HttpServerResponse.json({ status: "alive" })

/** Whether to send requests: the phase, and a round trip to each backend that the process is nothing without. */
export const ready = Effect.gen(function*() {
  const phase = yield* Ref.get(yield* Phase)
  const critical = (yield* Backends.list).filter(({ backend }) => backend.critical)
  const asked = phase === "draining" ? [] : critical
  const answers = yield* Effect.forEach(
    asked,
    ({ backend, label }) => Effect.map(backend.health, ({ status }) => [label, status] as const),
    { concurrency: "unbounded" }
  )
  const backends = Object.fromEntries(answers)
  return phase === "ready" && answers.every(([, status]) => status === "healthy")
    ? yield* HttpServerResponse.json({ status: "ready", backends })
    : yield* StorefrontError.make({ _tag: "NotReady", phase, backends })
})

const loopback = new Set(["127.0.0.1", "::1", "::ffff:127.0.0.1"])

/** The counts of every pool. For this machine only. */
export const pools = Effect.gen(function*() {
  const { remoteAddress } = yield* HttpServerRequest.HttpServerRequest
  if (!Option.exists(remoteAddress, (address) => loopback.has(address))) {
    return yield* StorefrontError.make({ _tag: "NotFound", what: "/health/pools" })
  }
  const entries = yield* Backends.list
  const stats = yield* Effect.forEach(entries, ({ backend, label }) => Effect.map(backend.stats, (s) => [label, s]))
  return yield* HttpServerResponse.json(Object.fromEntries(stats))
})
