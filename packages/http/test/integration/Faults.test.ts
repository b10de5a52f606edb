/** What servers and networks do to a client. */
import { Outcome } from "@breakwater/core"
import { FakeHttp, FaultProxy } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Redacted } from "effect"
import { eventually, failureOf, open, textOf } from "../utils/http.ts"

const millis = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([took, value]) => ({ value, took: Duration.toMillis(took) }))

describe("Http faults", () => {
  it.live("says that nothing was sent when a connection is refused, and recovers by itself", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const http = yield* open({ url: Redacted.make(server.url) })
      yield* textOf(http, "/")
      yield* server.kill
      const lost = yield* failureOf(
        Effect.andThen(eventually(Effect.map(http.stats, ({ total }) => total === 0)), http.client.post("/"))
      )
      assert.strictEqual(lost.reason._tag, "ConnectFailed")
      assert.deepStrictEqual(lost.outcome, Outcome.failure("no"))
      yield* server.restore
      assert.strictEqual(yield* textOf(http, "/"), "ok")
      assert.strictEqual((yield* http.stats).active, 0)
    }))

  it.live("counts a connection as used again where it was open already, and not where none could be opened", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const http = yield* open({ url: Redacted.make(server.url), policy: { retry: { times: 0 } } })
      for (let n = 0; n < 3; n++) yield* textOf(http, "/")
      assert.strictEqual((yield* http.stats).reused, 2)
      yield* server.kill
      yield* eventually(Effect.map(http.stats, ({ total }) => total === 0))
      for (let n = 0; n < 5; n++) yield* failureOf(http.client.get("/"))
      assert.strictEqual((yield* http.stats).reused, 2)
      yield* server.restore
      yield* textOf(http, "/")
      const { acquired, opened, reused } = yield* http.stats
      assert.deepStrictEqual([acquired, opened, reused], [9, 2, 2])
    }))

  it.live("costs no request where the client is paused while servers restart, to origins known and new", () =>
    Effect.gen(function*() {
      const known = yield* FakeHttp.make()
      const fresh = yield* FakeHttp.make()
      const http = yield* open()
      yield* textOf(http, known.url)
      yield* http.backend.pause!
      yield* eventually(Effect.map(http.stats, ({ total }) => total === 0))
      yield* known.kill
      yield* fresh.kill
      const calls = yield* Effect.forkChild(
        Effect.all([http.client.post(known.url), http.client.post(fresh.url)], { concurrency: 2 })
      )
      yield* eventually(Effect.map(http.stats, ({ waiting }) => waiting === 2))
      yield* known.restore
      yield* fresh.restore
      yield* http.backend.resume!
      assert.deepStrictEqual((yield* Fiber.join(calls)).map(({ status }) => status), [200, 200])
    }))

  it.live("repeats even a POST that was not sent", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      yield* server.kill
      const http = yield* open({ url: Redacted.make(server.url), policy: { retry: { times: 20 } } })
      const posted = yield* Effect.forkChild(http.client.post("/"))
      yield* Effect.sleep("100 millis")
      yield* server.restore
      assert.strictEqual((yield* Fiber.join(posted)).status, 200)
      assert.strictEqual((yield* server.stats).requests, 1)
    }))

  it.live("gives the next request a new connection after every one was cut", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const proxy = yield* FaultProxy.make({ target: server })
      const http = yield* open({ url: Redacted.make(`http://127.0.0.1:${proxy.port}`) })
      yield* Effect.all(Array.from({ length: 5 }, () => textOf(http, "/")), { concurrency: 5 })
      for (const end of [proxy.cut, proxy.reset]) {
        yield* end
        yield* eventually(Effect.map(http.stats, ({ total }) => total === 0))
        assert.strictEqual(yield* textOf(http, "/"), "ok")
      }
    }))

  it.live("bounds the wait for headers, and does not know whether the request took effect", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ headersAfter: Infinity }))
      const http = yield* open({
        url: Redacted.make(server.url),
        time: { headers: "300 millis" },
        policy: { retry: false }
      })
      const { took, value } = yield* millis(failureOf(http.client.get("/")))
      assert.strictEqual(value.reason._tag, "HeadersTimeout")
      assert.deepStrictEqual(value.outcome, Outcome.failure("unknown"))
      assert.isBelow(took, 3000)
      yield* eventually(Effect.map(server.stats, (stats) => stats.open === 0))
    }))

  it.live("bounds the standstill of a body", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ body: "abcd", pieces: 2, pieceAfter: Infinity }))
      const http = yield* open({ url: Redacted.make(server.url), time: { body: "300 millis" } })
      const failure = yield* failureOf(textOf(http, "/"))
      assert.strictEqual(failure.reason._tag, "BodyTimeout")
      assert.strictEqual((yield* http.stats).active, 0)
    }))

  it.live("bounds the whole call, its body too, whether somebody reads it or not", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ body: "x".repeat(1000), pieces: 1000, pieceAfter: "10 millis" }))
      const http = yield* open({ url: Redacted.make(server.url), policy: { deadline: "300 millis" } })
      const failure = yield* failureOf(textOf(http, "/"))
      assert.strictEqual(failure.reason._tag, "TotalTimeout")
      const unread = yield* http.client.get("/")
      yield* eventually(Effect.map(http.stats, ({ active }) => active === 0))
      assert.strictEqual((yield* failureOf(unread.text)).reason._tag, "TotalTimeout")
      yield* server.script(() => ({ headersAfter: Infinity }))
      const late = yield* failureOf(http.client.get("/"))
      assert.strictEqual(late.reason._tag, "DeadlineExceeded")
      yield* eventually(Effect.map(http.stats, ({ active }) => active === 0))
    }))

  it.live("bounds redirects and all by one deadline", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(({ index }) => ({
        status: 302,
        headers: { location: `/${index}` },
        headersAfter: "150 millis"
      }))
      const http = yield* open({ url: Redacted.make(server.url), policy: { deadline: "400 millis" }, redirects: 50 })
      const { took, value } = yield* millis(failureOf(http.client.get("/")))
      assert.strictEqual(value.reason._tag, "DeadlineExceeded")
      assert.isBelow(took, 3000)
      yield* eventually(Effect.map(http.stats, ({ active }) => active === 0))
    }))

  it.live("bounds the attempt apart from the call", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(FakeHttp.inTurn({ headersAfter: Infinity }, { body: "second" }))
      const http = yield* open({
        url: Redacted.make(server.url),
        policy: { deadline: "10 seconds", timeout: "200 millis", retry: { times: 1 } }
      })
      assert.strictEqual(yield* textOf(http, "/"), "second")
    }))

  it.live("bounds the opening of a connection", () =>
    Effect.gen(function*() {
      const http = yield* open({
        url: Redacted.make("http://slow.test:1"),
        dns: { resolve: () => Effect.never },
        pool: { dial: { timeout: "200 millis" } }
      })
      const { took, value } = yield* millis(failureOf(http.client.get("/")))
      assert.strictEqual(value.reason._tag, "ConnectFailed")
      assert.isBelow(took, 4000)
      yield* eventually(Effect.map(http.stats, ({ active, opening }) => active === 0 && opening === 0))
    }))

  it.live("gives up a connection that is being opened with the request that wanted it", () =>
    Effect.gen(function*() {
      const http = yield* open({
        url: Redacted.make("http://slow.test:1"),
        dns: { resolve: () => Effect.never },
        pool: { dial: { timeout: "60 seconds" } }
      })
      const waiting = yield* Effect.forkChild(http.client.get("/"))
      yield* eventually(Effect.map(http.stats, ({ opening }) => opening === 1))
      yield* Fiber.interrupt(waiting)
      yield* eventually(Effect.map(http.stats, ({ active, opening }) => active === 0 && opening === 0))
    }))

  it.live("fails a body that is reset in the middle, typed, and goes on", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(
        FakeHttp.inTurn({ body: "abcd", resetAfter: 2 }, { reset: true }, { body: "ok" })
      )
      const http = yield* open({ url: Redacted.make(server.url), policy: { retry: false } })
      const failure = yield* failureOf(textOf(http, "/"))
      assert.deepInclude(failure.reason, { _tag: "ConnectionLost" })
      const before = yield* failureOf(http.client.get("/"))
      assert.deepInclude(before.reason, { _tag: "ConnectionLost", during: "request", sent: "unknown" })
      assert.strictEqual(yield* textOf(http, "/"), "ok")
    }))

  it.live("goes where a name has moved, once nobody answers at its old address", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      let address = "127.0.0.2"
      const http = yield* open({
        url: Redacted.make(`http://shop.test:${server.port}`),
        dns: { resolve: () => Effect.succeed([{ address, family: 4 }]) }
      })
      assert.strictEqual((yield* failureOf(http.client.get("/"))).reason._tag, "ConnectFailed")
      address = "127.0.0.1"
      assert.strictEqual(yield* textOf(http, "/"), "ok")
      assert.strictEqual((yield* server.requests)[0]?.headers["host"], `shop.test:${server.port}`)
    }))
})

describe("A server that refuses connections", () => {
  it.live("is asked again soon after it takes them, however long its circuit would stay open", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const http = yield* open({
        url: Redacted.make(server.url),
        policy: { retry: false, breaker: { consecutive: 2, openFor: "1 hour" } }
      })
      yield* server.kill
      for (let n = 0; n < 2; n++) {
        assert.strictEqual((yield* failureOf(http.client.get("/"))).reason._tag, "ConnectFailed")
      }
      assert.strictEqual((yield* failureOf(http.client.get("/"))).reason._tag, "CircuitOpen")
      const { accepted } = yield* server.stats
      yield* server.restore
      yield* eventually(Effect.isSuccess(textOf(http, "/")))
      assert.strictEqual((yield* http.backend.policy).circuit?.state, "half-open")
      // The one that looked, and that of the request.
      assert.strictEqual((yield* server.stats).accepted - accepted, 2)
    }))

  it.live("is asked again as soon where its circuit had opened by what it answered", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ status: 503 }))
      const http = yield* open({
        url: Redacted.make(server.url),
        policy: { retry: false, breaker: { consecutive: 1, halfOpenCalls: 1, openFor: 1 } }
      })
      yield* http.client.get("/")
      http.backend.update?.({ breaker: { openFor: "1 hour" } })
      yield* server.kill
      yield* eventually(Effect.map(http.stats, ({ total }) => total === 0))
      assert.strictEqual((yield* failureOf(http.client.get("/"))).reason._tag, "ConnectFailed")
      assert.strictEqual((yield* failureOf(http.client.get("/"))).reason._tag, "CircuitOpen")
      yield* server.script(() => ({}))
      yield* server.restore
      yield* eventually(Effect.isSuccess(textOf(http, "/")))
    }))

  it.live("is found where its name has moved meanwhile", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      let asked = 0
      const http = yield* open({
        url: Redacted.make(`http://shop.test:${server.port}`),
        policy: { retry: false, breaker: { consecutive: 1, openFor: "1 hour" } },
        dns: { resolve: () => Effect.sync(() => [{ address: ++asked > 2 ? "127.0.0.1" : "127.0.0.2", family: 4 }]) }
      })
      assert.strictEqual((yield* failureOf(http.client.get("/"))).reason._tag, "ConnectFailed")
      yield* eventually(Effect.isSuccess(textOf(http, "/")))
    }))

  it.live("keeps no request to another from its connection while it is looked for", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      let asked = 0
      const http = yield* open({
        pool: { size: { max: 1 }, dial: { timeout: "1 minute" } },
        policy: { retry: false, breaker: { consecutive: 1, openFor: "1 hour" } },
        dns: { resolve: () => Effect.suspend(() => asked++ === 0 ? Effect.fail("gone") : Effect.never) }
      })
      yield* failureOf(http.client.get("http://shop.test"))
      yield* eventually(Effect.sync(() => asked === 2))
      assert.strictEqual(yield* textOf(http, server.url), "ok")
    }))
})
