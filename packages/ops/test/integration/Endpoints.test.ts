import * as Backends from "@breakwater/core/Backends"
import * as Pool from "@breakwater/core/Pool"
import { OpsHealth, OpsStats } from "@breakwater/ops"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted, Schedule, Schema } from "effect"
import * as Http from "node:http"
import * as Net from "node:net"
import { backend, serve } from "../support.ts"

const TOKEN = "not-to-be-guessed"

const LIMIT = "20 seconds"

/** By hand: `fetch` does not let one choose the host, and tells less of what came. */
const ask = (url: string, options: Http.RequestOptions & { readonly body?: string } = {}) =>
  Effect.callback<
    { readonly status: number; readonly headers: Http.IncomingHttpHeaders; readonly body: string },
    Error
  >(
    (resume) => {
      const request = Http.request(url, { agent: false, ...options }, (response) => {
        let body = ""
        response.setEncoding("utf8")
        response.on("data", (part: string) => body += part)
        response.on(
          "end",
          () => resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, body }))
        )
        response.on("error", (error) => resume(Effect.fail(error)))
      })
      request.on("error", (error) => resume(Effect.fail(error)))
      request.end(options.body)
      return Effect.sync(() => request.destroy())
    }
  ).pipe(Effect.timeout(LIMIT))

const withToken = { headers: { authorization: `Bearer ${TOKEN}` } }

const GUARDED = ["/stats", "/stats/database?backend=orders", "/metrics", "/pools", "/pools/stream"]
const OPEN = ["/health", "/health/live", "/health/ready", "/health/pools"]

const run = <A, E>(effect: Effect.Effect<A, E, import("effect/Scope").Scope>) =>
  Effect.scoped(Backends.isolated(effect))

/** Connections that have sent `bytes` and then do nothing, until the scope closes. */
const idlers = (url: string, count: number, bytes: string) =>
  Effect.forEach(
    Array.from({ length: count }),
    () =>
      Effect.acquireRelease(
        Effect.callback<Net.Socket, Error>((resume) => {
          const { hostname, port } = new URL(url)
          const socket = Net.connect(Number(port), hostname, () => {
            socket.write(bytes)
            socket.pause()
            resume(Effect.succeed(socket))
          })
          socket.on("error", (error) => resume(Effect.fail(error)))
        }),
        (socket) => Effect.sync(() => socket.destroy())
      ),
    { concurrency: 200 }
  )

/** The stream's frames, as they come. */
const openStream = (url: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => {
        const stop = new AbortController()
        return fetch(`${url}/pools/stream`, { ...withToken, signal: stop.signal }).then((response) => ({
          response,
          stop
        }))
      }),
      ({ stop }) => Effect.sync(() => stop.abort())
    ),
    ({ response, stop }) => {
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
      let text = ""
      const until = (wanted: (text: string) => boolean): Effect.Effect<string, unknown> =>
        Effect.tryPromise(async () => {
          while (!wanted(text)) {
            // One part after the other is the point.
            const part = await reader?.read()
            if (part === undefined || part.done) throw new Error("the stream ended")
            text += part.value
          }
          return text
        }).pipe(Effect.timeout(LIMIT))
      return { status: response.status, until, stop: Effect.sync(() => stop.abort()) }
    }
  )

const data = (text: string, event: string): ReadonlyArray<string> =>
  [...text.matchAll(new RegExp(`event: ${event}\ndata: (.*)\n\n`, "g"))].flatMap(([, found]) => found ?? [])

describe("the endpoints", () => {
  it.live("give who has no token, or a wrong one, 401 and nothing else", () =>
    run(Effect.gen(function*() {
      yield* backend("orders")
      const url = yield* serve({ token: Redacted.make(TOKEN) })
      for (const path of GUARDED) {
        const wrong = [undefined, `Bearer ${TOKEN}x`, "Bearer", `Basic ${TOKEN}`, TOKEN, "Bearer  "]
        for (const authorization of wrong) {
          const headers = authorization === undefined ? {} : { authorization }
          const answer = yield* ask(url + path, { headers })
          assert.deepStrictEqual([path, answer.status, answer.body], [path, 401, ""])
          assert.strictEqual(answer.headers["www-authenticate"], "Bearer")
        }
        const [separator] = path.includes("?") ? ["&"] : ["?"]
        assert.strictEqual((yield* ask(`${url}${path}${separator}token=${TOKEN}`)).status, 401)
        assert.strictEqual((yield* ask(url + path, { method: "POST", body: "{}" })).status, 401)
      }
    })), 60_000)

  it.live("give who has it what their schemas say", () =>
    run(Effect.gen(function*() {
      const { pool } = yield* backend("orders")
      const url = yield* serve({ token: Redacted.make(TOKEN), service: "shop" })
      yield* Pool.use(pool, () => Effect.sleep("5 millis"))
      const json = <A, I>(path: string, schema: Schema.Codec<A, I>) =>
        Effect.flatMap(ask(url + path, withToken), ({ body }) =>
          Schema.decodeUnknownEffect(Schema.fromJsonString(schema))(body))
      const stats = yield* json("/stats", OpsStats.Stats)
      assert.deepStrictEqual([stats.service, stats.profile, stats.totals.acquired], ["shop", "staging", 1])
      assert.deepStrictEqual(Object.keys(stats.backends), ["orders"])
      assert.strictEqual(stats.backends["orders"]?.times.use?.count, 1)
      assert.isAtLeast(stats.backends["orders"]?.times.use?.p50 ?? 0, 4)
      const database = yield* json("/stats/database?backend=orders", OpsStats.Database)
      assert.strictEqual(database.data.poolInfo, "Limit: 3, Pool Timeout: 20s, Connect Timeout: 10s")
      assert.isTrue(database.data.healthy)
      assert.strictEqual((yield* json("/health", OpsHealth.Pools)).backends["orders"]?.latency_ms, 1.5)
      assert.strictEqual((yield* json("/health/live", OpsHealth.Live)).status, "alive")
      assert.strictEqual((yield* json("/health/ready", OpsHealth.Ready)).status, "ready")
      const { body } = yield* ask(`${url}/metrics`, withToken)
      assert.include(body, "db_client_connection_count{db_client_connection_pool_name=\"orders\"")
      const page = yield* ask(`${url}/pools`, withToken)
      assert.include(page.headers["content-security-policy"], "default-src 'none'")
    })), 60_000)

  it.live(
    "refuse another method, and a body where none belongs, and know no other path",
    () =>
      run(Effect.gen(function*() {
        yield* backend("orders")
        const url = yield* serve({ token: Redacted.make(TOKEN), prefix: "/api/v1/accounts" })
        for (const path of [...OPEN, ...GUARDED].map((each) => `${url}/api/v1/accounts${each}`)) {
          for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
            const answer = yield* ask(path, { ...withToken, method })
            assert.deepStrictEqual([path, method, answer.status, answer.body], [path, method, 405, ""])
            assert.strictEqual(answer.headers.allow, "GET, HEAD")
          }
          const headers = { ...withToken.headers, "content-length": "5" }
          const refused = yield* ask(path, { headers, body: "hello" })
          assert.deepStrictEqual([path, refused.status, refused.body], [path, 400, ""])
          const chunked = { ...withToken.headers, "transfer-encoding": "chunked" }
          assert.strictEqual((yield* ask(path, { headers: chunked, body: "hello" })).status, 400)
          assert.strictEqual((yield* ask(path, { ...withToken, method: "HEAD" })).status, 200)
          assert.strictEqual((yield* ask(`${path.split("?")[0]}/more`, withToken)).status, 404)
        }
        assert.strictEqual((yield* ask(`${url}/health`)).status, 404)
      })),
    60_000
  )

  it.live(
    "tell only who may see the statistics why a backend is not well and who holds what",
    () =>
      run(Effect.gen(function*() {
        const { pool } = yield* backend("orders", {
          health: Effect.succeed({
            status: "unhealthy",
            latency: Duration.millis(3),
            error: new Error("db-7.internal")
          })
        })
        const url = yield* serve({ token: Redacted.make(TOKEN) })
        yield* Effect.forkScoped(Pool.use(pool, () => Effect.never, { label: "report" }), { startImmediately: true })
        const outside = yield* ask(`${url}/health/pools`)
        const inside = yield* ask(`${url}/health/pools`, withToken)
        assert.deepStrictEqual([outside.status, inside.status], [503, 503])
        for (const secret of ["db-7.internal", "report"]) {
          assert.notInclude(outside.body, secret)
          assert.include(inside.body, secret)
        }
        assert.strictEqual((yield* ask(`${url}/health/live`)).status, 200)
      })),
    60_000
  )

  it.live(
    "without a token are for this machine: not for who asks through another, nor for a page of elsewhere",
    () =>
      run(Effect.gen(function*() {
        yield* backend("orders")
        const url = yield* serve()
        const status = (headers: Http.OutgoingHttpHeaders) =>
          Effect.map(ask(`${url}/stats`, { headers }), (answer) => `${answer.status} ${answer.body.length > 0}`)
        assert.strictEqual(yield* status({}), "200 true")
        assert.strictEqual(yield* status({ host: "localhost:3000" }), "200 true")
        assert.strictEqual(yield* status({ host: "attacker.example" }), "403 false")
        assert.strictEqual(yield* status({ "x-forwarded-for": "203.0.113.9" }), "403 false")
        assert.strictEqual(yield* status({ forwarded: "for=203.0.113.9" }), "403 false")
      })),
    60_000
  )

  it.live("are for whom the program lets in", () =>
    run(Effect.gen(function*() {
      yield* backend("orders")
      const url = yield* serve({ authorize: ({ headers }) => Effect.succeed(headers["x-user"] === "ada") })
      assert.strictEqual((yield* ask(`${url}/stats`, { headers: { "x-user": "ada" } })).status, 200)
      assert.strictEqual((yield* ask(`${url}/stats`, { headers: { "x-user": "bob" } })).status, 401)
    })), 60_000)

  it.live("stream the statistics, and what happens in between with its reason", () =>
    run(Effect.gen(function*() {
      const { pool } = yield* backend("orders")
      const url = yield* serve({ token: Redacted.make(TOKEN) })
      const stream = yield* openStream(url)
      const first = yield* stream.until((text) => data(text, "stats").length > 0)
      const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(OpsStats.Stats))
      assert.strictEqual((yield* decode(data(first, "stats")[0])).backends["orders"]?.pool.used, 0)
      yield* Pool.use(pool, () => Effect.void)
      yield* Pool.clear(pool)
      const text = yield* stream.until((all) => data(all, "events").length > 0)
      const happened = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(OpsStats.Happenings))(
        data(text, "events")[0]
      )
      assert.strictEqual(happened.dropped, 0)
      assert.deepInclude(
        happened.events.map(({ backend: of, kind, reason, tag }) => ({ of, kind, reason, tag })),
        { of: "orders", kind: "fake", tag: "Closed", reason: "Cleared" }
      )
      assert.notInclude(happened.events.map(({ tag }) => tag), "Acquired")
    })), 60_000)

  it.live("let no more than so many watch, and the next as soon as one has gone", () =>
    run(Effect.gen(function*() {
      yield* backend("orders")
      const url = yield* serve({ token: Redacted.make(TOKEN), maxDashboards: 2 })
      const first = yield* openStream(url)
      const second = yield* openStream(url)
      yield* second.until((text) => data(text, "stats").length > 0)
      assert.deepStrictEqual([first.status, second.status], [200, 200])
      const third = yield* ask(`${url}/pools/stream`, withToken)
      assert.deepStrictEqual([third.status, third.headers["retry-after"]], [503, "5"])
      yield* first.stop
      const next = yield* Effect.scoped(openStream(url)).pipe(
        Effect.repeat({ until: ({ status }) => status === 200, schedule: Schedule.spaced("50 millis") }),
        Effect.timeout(LIMIT)
      )
      assert.strictEqual(next.status, 200)
    })), 60_000)

  const slow = Number(process.env["BREAKWATER_TEST_SLOW_CLIENTS"] ?? 300)

  it.live(`answer while ${slow} slow clients each hold a connection`, () =>
    run(Effect.gen(function*() {
      yield* backend("orders")
      const url = yield* serve({ token: Redacted.make(TOKEN), maxDashboards: 4 })
      const begin = "GET /health/live HTTP/1.1\r\nhost: localhost\r\n"
      const third = Math.ceil(slow / 3)
      // Never finish a request; say that a body comes, and send none; ask for what never ends, and never read it.
      yield* idlers(url, third, begin)
      yield* idlers(url, third, `${begin}content-length: 1000000\r\n\r\n`)
      const watch = `GET /pools/stream HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${TOKEN}\r\n\r\n`
      yield* idlers(url, third, watch)
      const answers = yield* Effect.forEach(
        [...OPEN, "/stats", "/metrics"],
        (path) => ask(url + path, withToken),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(answers.map(({ status }) => status), answers.map(() => 200))
    })), 120_000)
})
