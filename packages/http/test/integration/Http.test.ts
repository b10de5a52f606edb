/** Requests and answers, over real sockets. */
import { Backends, Metrics, Operation } from "@breakwater/core"
import { Http, HttpError } from "@breakwater/http"
import { FakeHttp } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Logger, Metric, Option, Redacted, References, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Zlib from "node:zlib"
import { eventually, failureOf, open, textOf } from "../utils/http.ts"

describe("Http", () => {
  it.live("gives a client for URLs relative to its own, with user and password as a header for that origin only", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const other = yield* FakeHttp.make()
      const http = yield* open({ url: Redacted.make(`http://app:s3cret@127.0.0.1:${server.port}/v1`) })
      assert.strictEqual(yield* textOf(http, "/charges?x=1"), "ok")
      yield* textOf(http, `${other.url}/elsewhere`)
      const [first] = yield* server.requests
      assert.strictEqual(first?.path, "/v1/charges?x=1")
      assert.strictEqual(first?.headers["authorization"], `Basic ${btoa("app:s3cret")}`)
      assert.strictEqual(first?.headers["user-agent"], "breakwater")
      assert.isUndefined((yield* other.requests)[0]?.headers["authorization"])
    }))

  it.live("sends every kind of body", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const http = yield* open({ url: Redacted.make(server.url) })
      const form = new FormData()
      form.append("name", "value")
      const post = HttpClientRequest.post("/")
      const requests = [
        HttpClientRequest.bodyJsonUnsafe(post, { a: 1 }),
        HttpClientRequest.bodyText(post, "text"),
        HttpClientRequest.bodyFormData(post, form),
        HttpClientRequest.bodyStream(
          post,
          Stream.make(new TextEncoder().encode("pie"), new TextEncoder().encode("ces"))
        )
      ]
      for (const request of requests) {
        yield* Effect.flatMap(http.client.execute(request), (response) => response.text)
      }
      const [json, text, multipart, stream] = yield* server.requests
      assert.deepStrictEqual([json?.body, text?.body, stream?.body], ["{\"a\":1}", "text", "pieces"])
      assert.include(multipart?.body ?? "", "name=\"name\"\r\n\r\nvalue")
    }))

  it.live("reads answers as text, JSON, bytes and a stream, with their headers, cookies and URL", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({
        status: 201,
        body: "{\"a\":[1,2]}",
        pieces: 3,
        headers: { "set-cookie": "id=7; Path=/", "x-a": "b" }
      }))
      const http = yield* open({ url: Redacted.make(server.url) })
      const response = yield* http.client.get("/x?y=1#z")
      assert.strictEqual(response.status, 201)
      assert.strictEqual(response.headers["x-a"], "b")
      assert.strictEqual(response.cookies.cookies["id"]?.value, "7")
      assert.strictEqual(response.url, `${server.url}/x?y=1`)
      assert.deepStrictEqual(yield* response.json, { a: [1, 2] })
      assert.strictEqual((yield* response.arrayBuffer).byteLength, 11)
      const streamed = yield* http.client.get("/")
      const bytes = yield* Stream.runFold(streamed.stream, () => 0, (sum, chunk) => sum + chunk.byteLength)
      assert.strictEqual(bytes, 11)
    }))

  it.live("follows redirects, and tells nobody else who asks", () =>
    Effect.gen(function*() {
      const other = yield* FakeHttp.make()
      const server = yield* FakeHttp.make(({ path }) =>
        path === "/a"
          ? { status: 302, headers: { location: "/b" } }
          : path === "/b"
          ? { status: 307, headers: { location: `${other.url}/c` } }
          : {}
      )
      const http = yield* open({ url: Redacted.make(server.url) })
      const request = HttpClientRequest.get("/a").pipe(
        HttpClientRequest.setHeaders({ authorization: "Bearer s3cret", cookie: "s3cret", "x-kept": "1" })
      )
      const response = yield* http.client.execute(request)
      assert.strictEqual(response.url, `${other.url}/c`)
      assert.strictEqual(yield* response.text, "ok")
      assert.strictEqual((yield* server.requests)[1]?.headers["authorization"], "Bearer s3cret")
      const [seen] = yield* other.requests
      assert.strictEqual(seen?.headers["x-kept"], "1")
      assert.notInclude(JSON.stringify(seen), "s3cret")
    }))

  it.live("turns a POST that is redirected with 303 into a GET without a body, and repeats it with 307", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(({ path }) => ({
        status: path === "/see" ? 303 : path === "/again" ? 307 : 200,
        headers: { location: "/end" }
      }))
      const http = yield* open({ url: Redacted.make(server.url) })
      for (const path of ["/see", "/again"]) {
        yield* http.client.execute(HttpClientRequest.bodyText(HttpClientRequest.post(path), "body"))
      }
      const sent = (yield* server.requests).map(({ body, method, path }) => `${method} ${path} ${body}`)
      assert.deepStrictEqual(sent, ["POST /see body", "GET /end ", "POST /again body", "POST /end body"])
      const types = (yield* server.requests).map(({ headers }) => headers["content-type"] !== undefined)
      assert.deepStrictEqual(types, [true, false, true, true])
    }))

  it.live("ends a circle of redirects typed, and leaves redirects alone when told to", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ status: 302, headers: { location: "/" } }))
      const http = yield* open({ url: Redacted.make(server.url), redirects: 3 })
      const failure = yield* failureOf(http.client.get("/"))
      assert.strictEqual(failure.reason._tag, "TooManyRedirects")
      assert.strictEqual((yield* server.requests).length, 4)
      const plain = yield* open({ url: Redacted.make(server.url), redirects: 0 })
      assert.strictEqual((yield* plain.client.get("/")).status, 302)
    }))

  it.live("asks for compressed bodies and reads them, one inside the other too", () =>
    Effect.gen(function*() {
      const text = "abc".repeat(10_000)
      const server = yield* FakeHttp.make(({ path }) => {
        const encoding = path.slice(1)
        const body = encoding === "br"
          ? Zlib.brotliCompressSync(text)
          : encoding === "deflate"
          ? Zlib.deflateSync(text)
          : encoding === "both"
          ? Zlib.brotliCompressSync(Zlib.gzipSync(text))
          : Zlib.gzipSync(text)
        return { body, headers: { "content-encoding": encoding === "both" ? "gzip, br" : encoding }, pieces: 3 }
      })
      const http = yield* open({ url: Redacted.make(server.url) })
      for (const encoding of ["gzip", "br", "deflate", "both"]) {
        assert.strictEqual(yield* textOf(http, `/${encoding}`), text)
      }
      assert.match((yield* server.requests)[0]?.headers["accept-encoding"] ?? "", /^gzip, deflate, br/)
      assert.strictEqual((yield* server.stats).accepted, 1)
    }))

  it.live("stops reading a body that is too large once decompressed, or is not what it says", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(({ path }) => ({
        body: path === "/bomb" ? Zlib.gzipSync(Buffer.alloc(5_000_000)) : "not gzip",
        headers: { "content-encoding": "gzip" }
      }))
      const http = yield* open({ url: Redacted.make(server.url), decompress: { max: 1_000_000 } })
      const bomb = yield* failureOf(textOf(http, "/bomb"))
      assert.deepInclude(bomb.reason, { _tag: "BodyTooLarge", max: 1_000_000 })
      const wrong = yield* failureOf(textOf(http, "/wrong"))
      assert.strictEqual(wrong.reason._tag, "InvalidResponse")
      yield* eventually(Effect.map(http.stats, ({ active }) => active === 0))
      const raw = yield* open({ url: Redacted.make(server.url), decompress: false })
      assert.strictEqual(yield* textOf(raw, "/wrong"), "not gzip")
      assert.isUndefined((yield* server.requests).at(-1)?.headers["accept-encoding"])
    }))

  it.live("cancels a body that nobody has read when its scope ends", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ body: "x".repeat(1000), pieces: 10, pieceAfter: "1 second" }))
      const http = yield* open({ url: Redacted.make(server.url) })
      const scoped = HttpClient.withScope(http.client)
      yield* Effect.scoped(Effect.gen(function*() {
        assert.strictEqual((yield* scoped.get("/")).status, 200)
        assert.strictEqual((yield* http.stats).active, 1)
      }))
      assert.strictEqual((yield* http.stats).active, 0)
      yield* eventually(Effect.map(server.stats, (stats) => stats.open === 0))
    }))

  it.live("cancels a body whose reader stops early", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ body: "x".repeat(1000), pieces: 10, pieceAfter: "200 millis" }))
      const http = yield* open({ url: Redacted.make(server.url) })
      const { stream } = yield* http.client.get("/")
      assert.strictEqual((yield* Stream.runCollect(Stream.take(stream, 1))).length, 1)
      yield* eventually(Effect.map(http.stats, ({ active, total }) => active === 0 && total === 0))
    }))

  it.live("closes every connection after its response when keep-alive is off", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const http = yield* open({ url: Redacted.make(server.url), pool: { keepAlive: false } })
      for (let n = 0; n < 3; n++) yield* textOf(http, "/")
      yield* eventually(Effect.map(server.stats, (stats) => stats.open === 0))
      assert.strictEqual((yield* server.stats).accepted, 3)
    }))

  it.live("closes a connection that was idle for long enough", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const http = yield* open({ url: Redacted.make(server.url), pool: { keepAlive: "100 millis" } })
      yield* textOf(http, "/")
      yield* eventually(Effect.map(server.stats, (stats) => stats.open === 0))
      assert.strictEqual(yield* textOf(http, "/"), "ok")
    }))

  it.live("registers a backend that answers for its health", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const listed = Effect.gen(function*() {
        const http = yield* Http.make({ name: "payments", url: Redacted.make(server.url), healthPath: "/health" })
        return { http, entries: yield* Backends.list }
      })
      const { entries, http } = yield* Backends.isolated(listed).pipe(
        Effect.provideService(References.MinimumLogLevel, "None")
      )
      assert.deepStrictEqual(entries.map(({ backend, label }) => [label, backend.kind]), [["payments", "http"]])
      assert.strictEqual((yield* http.health).status, "healthy")
      assert.deepInclude((yield* server.requests)[0], { method: "HEAD", path: "/health" })
      yield* server.script(() => ({ status: 500 }))
      assert.strictEqual((yield* http.health).status, "unhealthy")
      yield* server.script(() => ({ headersAfter: Infinity }))
      const [took, health] = yield* Effect.timed(http.health)
      assert.strictEqual(health.status, "unhealthy")
      assert.isBelow(Duration.toMillis(took), 3000)
    }))

  it.live("gives several pools of one program tags of their own", () =>
    Effect.gen(function*() {
      const [a, b] = [yield* FakeHttp.make(() => ({ body: "a" })), yield* FakeHttp.make(() => ({ body: "b" }))]
      class Payments extends Http.Service<Payments>()("payments") {}
      class Shipping extends Http.Service<Shipping>()("shipping") {}
      const layers = Layer.mergeAll(
        Payments.layer({ url: Redacted.make(a.url) }),
        Shipping.clientLayer({ url: Redacted.make(b.url) })
      )
      const program = Effect.gen(function*() {
        const payments = yield* Payments
        const client = yield* HttpClient.HttpClient
        const shipping = yield* Effect.flatMap(client.get("/"), (response) => response.text)
        return [payments.name, yield* textOf(payments, "/"), shipping]
      })
      const isolated = Backends.isolated(Effect.provide(program, layers, { local: true }))
      assert.deepStrictEqual(yield* Effect.provide(isolated, Logger.layer([])), ["payments", "a", "b"])
    }))

  it.live("refuses what it cannot send, typed", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const http = yield* open({ url: Redacted.make(server.url) })
      const upgrade = HttpClientRequest.setHeader(HttpClientRequest.get("/"), "upgrade", "websocket")
      const broken = HttpClientRequest.setHeader(HttpClientRequest.get("/"), "x-a", "s3cret\r\nx-b: c")
      for (const request of [upgrade, broken]) {
        const failure = yield* failureOf(http.client.execute(request))
        assert.strictEqual(failure.reason._tag, "InvalidRequest")
        assert.notInclude(failure.message, "s3cret")
      }
      assert.strictEqual((yield* http.stats).active, 0)
    }))

  it.live("repeats a request only where that is safe, and gives the program the last answer", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ status: 500, body: "sorry" }))
      const http = yield* open({ url: Redacted.make(server.url), policy: { retry: { times: 2 } } })
      const sent = (effect: Effect.Effect<unknown, unknown>) =>
        Effect.gen(function*() {
          const before = (yield* server.stats).requests
          yield* effect
          return (yield* server.stats).requests - before
        })
      const text = yield* textOf(http, "/")
      assert.strictEqual(text, "sorry")
      assert.strictEqual((yield* server.stats).requests, 3)
      const keyed = HttpClientRequest.setHeader(HttpClientRequest.post("/"), "idempotency-key", "7")
      assert.deepStrictEqual(
        [
          yield* sent(http.client.post("/")),
          yield* sent(http.client.execute(keyed)),
          yield* sent(Operation.idempotent(http.client.post("/"))),
          yield* sent(http.client.put("/"))
        ],
        [1, 3, 3, 3]
      )
      yield* eventually(Effect.map(http.stats, ({ active }) => active <= 4))
    }))

  it.live("counts as failures what policies count as such, answers of 408, 429 and 5xx too, and no probe", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(({ path }) => ({ status: Number(path.slice(1)) || 500 }))
      const http = yield* open({ url: Redacted.make(server.url), policy: { retry: { times: 0 } } })
      const failures = Effect.map(http.backend.detail ?? Effect.undefined, (detail) => detail?.failures)
      for (const status of [200, 404, 408, 429, 500, 503]) yield* textOf(http, `/${status}`)
      assert.strictEqual(yield* failures, 4)
      assert.strictEqual((yield* http.health).status, "unhealthy")
      assert.strictEqual(yield* failures, 4)
      yield* server.kill
      yield* failureOf(http.client.post("/200"))
      assert.strictEqual(yield* failures, 5)
    }))

  it.live("shows its connections in metrics, and not the permits for them", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const http = yield* open({ url: Redacted.make(server.url) })
      for (let n = 0; n < 3; n++) yield* textOf(http, "/")
      yield* server.kill
      yield* eventually(Effect.map(http.stats, ({ total }) => total === 0))
      const shown = (yield* Metric.snapshot).flatMap(({ attributes, id, state }) =>
        attributes !== undefined && new Map(Object.entries(attributes)).get(Metrics.attributes.pool) === "payments"
          ? [[id, attributes, state] as const]
          : []
      )
      const read = ({ id, labels = {} }: Metrics.MetricName) =>
        shown.find((one) =>
          one[0] === id &&
          Object.entries(labels).every(([key, value]) => new Map(Object.entries(one[1])).get(key) === value)
        )?.[2]
      assert.deepStrictEqual(read(Metrics.pool.idle), { value: 0 })
      for (const [metric, count] of [[Metrics.pool.closed, 1], [Metrics.pool.reused, 2]] as const) {
        assert.deepStrictEqual(read(metric), { count, incremental: true })
      }
      for (const times of [Metrics.pool.create, Metrics.pool.use]) assert.property(read(times), "buckets")
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it.live("shows in metrics how its limits stand, which come with the first request to an origin", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const http = yield* open({ url: Redacted.make(server.url), policy: { bulkhead: { permits: 7 } } })
      yield* textOf(http, "/")
      yield* Metric.snapshot
      const most = (yield* Metric.snapshot).flatMap(({ id, state }) => id === Metrics.policy.limitMax.id ? [state] : [])
      assert.deepStrictEqual(most, [{ value: 7 }])
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it.live("comes back when a server that asks for less traffic said it would", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(
        FakeHttp.inTurn({ status: 503, headers: { "retry-after": "1" } }, { body: "up" })
      )
      const http = yield* open({ url: Redacted.make(server.url), policy: { retry: { times: 1 } } })
      const [took, text] = yield* Effect.timed(textOf(http, "/"))
      assert.strictEqual(text, "up")
      assert.isAtLeast(Duration.toMillis(took), 1000)
    }))

  it.live("opens the circuit of one origin and not of another", () =>
    Effect.gen(function*() {
      const good = yield* FakeHttp.make()
      const bad = yield* FakeHttp.make(() => ({ status: 502 }))
      const http = yield* open({
        policy: { retry: false, breaker: { window: 5, minimumCalls: 5, openFor: "1 minute" } }
      })
      for (let n = 0; n < 5; n++) assert.strictEqual((yield* http.client.get(bad.url)).status, 502)
      const failure = yield* failureOf(http.client.get(bad.url))
      assert.strictEqual(failure.reason._tag, "CircuitOpen")
      assert.isTrue(HttpError.isHttpError(failure.cause))
      assert.strictEqual(yield* textOf(http, good.url), "ok")
      assert.strictEqual((yield* bad.stats).requests, 5)
      const circuits = (yield* http.stats).origins.map(({ circuit }) => circuit)
      assert.deepStrictEqual(circuits, ["open", "closed"])
      assert.strictEqual((yield* http.backend.policy).circuit?.state, "open")
      assert.strictEqual((yield* http.health).status, "unhealthy")
    }))

  it.live("publishes what happens to connections and policies of every origin", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ status: 500 }))
      const http = yield* open({ url: Redacted.make(server.url), policy: { retry: { times: 1 } } })
      const first = Stream.filter(http.backend.events, ({ _tag }) => _tag === "RetryScheduled")
      const fiber = yield* Effect.forkChild(Stream.runHead(first), { startImmediately: true })
      yield* http.client.get("/")
      assert.isTrue(Option.isSome(yield* Fiber.join(fiber)))
    }))
})
