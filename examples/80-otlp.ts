// Traces and metrics to a collector, by Effect's own exporter: one span for each attempt, and what the pool counts anyway.
import { Operation, Policy, Pool } from "@breakwater/core"
import { Console, Data, Effect, Layer, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"
import { createServer } from "node:http"

class Hiccup extends Data.TaggedError("Hiccup")<{}> {}

const Span = Schema.Struct({
  name: Schema.String,
  spanId: Schema.String,
  parentSpanId: Schema.optional(Schema.String),
  status: Schema.Struct({ code: Schema.Int })
})

const Traces = Schema.Struct({
  resourceSpans: Schema.Array(Schema.Struct({
    scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Span) }))
  }))
})

const Points = Schema.Struct({ dataPoints: Schema.Array(Schema.Unknown) })

const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(Schema.Struct({
    scopeMetrics: Schema.Array(Schema.Struct({
      metrics: Schema.Array(Schema.Struct({
        name: Schema.String,
        sum: Schema.optional(Points),
        gauge: Schema.optional(Points),
        histogram: Schema.optional(Points)
      }))
    }))
  }))
})

/** In place of a collector: keeps what it is sent. In earnest it is the URL of yours. */
const collector = Effect.gen(function*() {
  const spans: Array<typeof Span.Type> = []
  const metrics = new Set<string>()
  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (part: Buffer) => body += part.toString())
    request.on("end", () => {
      if (request.url === "/v1/traces") {
        const { resourceSpans } = Schema.decodeUnknownSync(Schema.fromJsonString(Traces))(body)
        spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)))
      }
      if (request.url === "/v1/metrics") {
        const { resourceMetrics } = Schema.decodeUnknownSync(Schema.fromJsonString(Metrics))(body)
        for (const { scopeMetrics } of resourceMetrics) {
          for (const scope of scopeMetrics) for (const { name } of scope.metrics) metrics.add(name)
        }
      }
      response.end("{}")
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { url: `http://127.0.0.1:${port}`, spans, metrics }
})

/** A charge that succeeds with the third attempt. */
const charge = Effect.gen(function*() {
  const pool = yield* Pool.make({ name: "payments", acquire: Effect.succeed("session"), size: { max: 2 } })
  const policy = Policy.make({ deadline: "2 seconds", retry: { times: 3 } })
  let attempts = 0
  const work = Effect.suspend(() => ++attempts < 3 ? Effect.fail(new Hiccup()) : Effect.succeed("paid"))
  // The span is inside of the attempt: there is one for each.
  const attempted = Effect.withSpan(work, "charge.attempt", { attributes: { "peer.service": "payments" } })
  const call = Policy.run(
    policy,
    Operation.make("charge", { idempotent: true }),
    (attempt) => Pool.use(pool, () => attempt(attempted))
  )
  return yield* Effect.withSpan(call, "charge")
})

const program = Effect.gen(function*() {
  const { metrics, spans, url } = yield* collector
  const exporter = Otlp.layerJson({
    baseUrl: url,
    resource: { serviceName: "shop" },
    metricsExportInterval: "50 millis",
    tracerExportInterval: "50 millis"
  }).pipe(Layer.provide(FetchHttpClient.layer))
  // The exporter sends what is left when its layer closes; the pool is inside, so that its numbers are still there.
  const work = Effect.scoped(Effect.andThen(charge, Effect.sleep("200 millis")))
  yield* Effect.provide(work, exporter)

  const call = spans.find(({ name }) => name === "charge")
  const attempts = spans.filter(({ parentSpanId }) => parentSpanId === call?.spanId)
  yield* Console.log(`One call, ${attempts.length} attempts:`)
  for (const { name, status } of attempts) yield* Console.log(`  ${name} ${status.code === 2 ? "failed" : "succeeded"}`)
  const ours = [...metrics].filter((name) => name.startsWith("db.client.") || name.startsWith("breakwater.")).toSorted()
  yield* Console.log(`Metrics of the pool:\n  ${ours.join("\n  ")}`)
  if (attempts.length !== 3 || !metrics.has("db.client.connection.use_time")) process.exitCode = 1
})

await Effect.runPromise(Effect.scoped(program))
