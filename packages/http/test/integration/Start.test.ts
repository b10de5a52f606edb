/** The promise face, `fetch`, and the dispatcher. */
import { Http, HttpError } from "@breakwater/http"
import { FakeHttp } from "@breakwater/testing"
import { rejection } from "@breakwater/testing/Rejection"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Scope } from "effect"
import * as Zlib from "node:zlib"

const withServer = (
  script: FakeHttp.Script,
  test: (server: FakeHttp.FakeHttp, options: Http.Options) => Promise<void>
) =>
  Effect.flatMap(
    FakeHttp.make(script),
    (server) => Effect.promise(() => test(server, { name: "payments", url: Redacted.make(server.url) }))
  ) satisfies Effect.Effect<
    void,
    FakeHttp.FakeHttpError,
    Scope.Scope
  >

const causeOf = (error: unknown): unknown => error instanceof Error ? error.cause : undefined

describe("start", () => {
  it.live("fetches, shows statistics and health, and closes once", () =>
    withServer(() => ({ body: "{\"a\":1}" }), async ({ url }, options) => {
      const payments = await Http.start(options)
      const response = await payments.client.fetch(`${url}/x`)
      assert.deepStrictEqual(await response.json(), { a: 1 })
      assert.strictEqual((await payments.stats()).total, 1)
      assert.strictEqual((await payments.health()).status, "healthy")
      await Promise.all([payments.close(), payments.close()])
      const error = causeOf(await rejection(payments.client.fetch(url)))
      assert.propertyVal(error, "_tag", "PoolError")
    }))

  it.live("sends what fetch sends: a body, headers, a redirect", () =>
    withServer(
      ({ path }) => path === "/a" ? { status: 302, headers: { location: "/b" } } : { body: "end" },
      async (server, options) => {
        await using payments = await Http.start(options)
        const response = await payments.client.fetch(`${server.url}/a`, { headers: { "x-a": "b" } })
        assert.deepStrictEqual([response.url, await response.text()], [`${server.url}/b`, "end"])
        await payments.client.fetch(`${server.url}/c`, { method: "POST", body: "posted" })
        const requests = await Effect.runPromise(server.requests)
        assert.strictEqual(requests[1]?.headers["x-a"], "b")
        assert.deepInclude(requests[2], { method: "POST", body: "posted" })
      }
    ))

  it.live("ends a call whose signal is aborted, with the reason of the signal", () =>
    withServer(() => ({ headersAfter: Infinity }), async ({ url }, options) => {
      await using payments = await Http.start(options)
      const controller = new AbortController()
      const reason = new Error("enough")
      const waiting = rejection(payments.client.fetch(url, { signal: controller.signal }))
      setTimeout(() => controller.abort(reason), 50)
      assert.strictEqual(await waiting, reason)
      assert.strictEqual(await rejection(payments.health({ signal: controller.signal })), reason)
      assert.strictEqual((await payments.stats()).active, 0)
    }))

  it.live("rejects a fetch with the typed error as its cause", () =>
    withServer(() => ({ reset: true }), async (server, options) => {
      await using payments = await Http.start(options)
      const lost = causeOf(await rejection(payments.client.fetch(server.url)))
      assert.isTrue(HttpError.isHttpError(lost))
      if (HttpError.isHttpError(lost)) assert.strictEqual(lost.reason._tag, "ConnectionLost")
    }))

  it.live("repeats by the policy what fetch sends, and hands out the last answer", () =>
    withServer(FakeHttp.inTurn({ status: 500 }, { body: "second" }), async (server, options) => {
      await using payments = await Http.start({ ...options, policy: { retry: { times: 1 } } })
      assert.strictEqual(await (await payments.client.fetch(server.url)).text(), "second")
    }))

  it.live("gives a dispatcher that undici's own functions work with", () =>
    withServer(({ path }) =>
      path === "/gzip?a=b"
        ? { body: Zlib.gzipSync("inflated"), headers: { "content-encoding": "gzip" } }
        : { body: "x".repeat(300_000), pieces: 5 }, async (server, options) => {
      await using payments = await Http.start(options)
      const { dispatcher } = payments.client
      const small = await dispatcher.request({ origin: server.url, path: "/gzip", method: "GET", query: { a: "b" } })
      assert.deepStrictEqual([small.statusCode, await small.body.text()], [200, "inflated"])
      const large = await dispatcher.request({ origin: server.url, path: "/", method: "POST", body: "posted" })
      assert.strictEqual((await large.body.text()).length, 300_000)
      const unread = await dispatcher.request({ origin: server.url, path: "/", method: "GET" })
      unread.body.on("error", () => {})
      unread.body.destroy()
      await dispatcher.close()
      const again = await dispatcher.request({ origin: server.url, path: "/", method: "GET" })
      await again.body.dump()
      const connect = dispatcher.connect({ origin: server.url, path: "/" })
      assert.isTrue(HttpError.isHttpError(await rejection(connect)))
      assert.strictEqual((await payments.stats()).waiting, 0)
    }))

  it.live("rejects when the start itself is aborted or not allowed", () =>
    Effect.promise(async () => {
      const reason = new Error("too late")
      const aborted = Http.start({ name: "payments" }, { signal: AbortSignal.abort(reason) })
      assert.strictEqual(await rejection(aborted), reason)
      assert.throws(() => Http.start({ name: "payments", redirects: -1 }), RangeError)
      const wrong = await rejection(Http.start({ name: "payments", url: Redacted.make("ftp://a:s3cret@b") }))
      assert.propertyVal(wrong, "_tag", "ConfigError")
    }))
})
