/** Hard limits, bounded waits, and nothing held after anything. Counted at the server. */
import { PoolError } from "@breakwater/core"
import { Http } from "@breakwater/http"
import { FakeHttp } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Random, Redacted, Scheduler } from "effect"
import { eventually, failureOf, open, textOf } from "../utils/http.ts"

const many = <A, E, R>(count: number, effect: Effect.Effect<A, E, R>) =>
  Effect.all(Array.from({ length: count }, () => effect), { concurrency: "unbounded" })

const isFree = (http: Http.Http) => Effect.map(http.stats, ({ active, waiting }) => active === 0 && waiting === 0)

describe("Http limits", () => {
  it.live("keeps 1,000 requests on the connections that it has", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const http = yield* open({ url: Redacted.make(server.url) })
      yield* many(4, textOf(http, "/"))
      const before = (yield* server.stats).open
      yield* Effect.forEach(Array.from({ length: 1000 }), () => textOf(http, "/"), { concurrency: 4, discard: true })
      assert.deepInclude(yield* server.stats, { open: before, accepted: before, requests: 1004 })
    }))

  it.live("answers 100 requests at once over no more connections than an origin may have", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ body: "ok", headersAfter: "5 millis" }))
      const http = yield* open({ url: Redacted.make(server.url), pool: { size: { max: 20, perOrigin: 8 } } })
      const texts = yield* many(100, textOf(http, "/"))
      assert.isTrue(texts.every((text) => text === "ok"))
      assert.isAtMost((yield* server.stats).peak, 8)
    }))

  it.live("makes an origin once for all who ask for it first, however often their fibers yield", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ body: "ok", headersAfter: "5 millis" }))
      const http = yield* open({ url: Redacted.make(server.url), pool: { size: { perOrigin: 2 } } })
      yield* Effect.provideService(many(20, textOf(http, "/")), Scheduler.MaxOpsBeforeYield, 3)
      assert.isAtMost((yield* server.stats).peak, 2)
    }))

  it.live("never has more connections than the total, and closes an idle one for an origin that has none", () =>
    Effect.gen(function*() {
      const servers = yield* Effect.all(Array.from({ length: 5 }, () => FakeHttp.make()))
      const http = yield* open({ pool: { size: { max: 3, perOrigin: 2 } } })
      for (let round = 0; round < 3; round++) {
        for (const server of servers) {
          yield* many(2, textOf(http, server.url))
          assert.isAtMost((yield* http.stats).total, 3)
        }
      }
      const answers = yield* many(4, Effect.forEach(servers, (server) => textOf(http, server.url), { concurrency: 5 }))
      assert.strictEqual(answers.flat().filter((text) => text === "ok").length, 20)
      assert.isAtMost((yield* http.stats).total, 3)
    }))

  it.live("does not let a slow origin take the connections of the others", () =>
    Effect.gen(function*() {
      const slow = yield* FakeHttp.make(() => ({ headersAfter: Infinity }))
      const quick = yield* FakeHttp.make()
      const http = yield* open({ pool: { size: { max: 4, perOrigin: 2 } } })
      const stuck = yield* Effect.forkChild(many(20, http.client.get(slow.url)))
      yield* eventually(Effect.map(http.stats, ({ waiting }) => waiting === 18))
      assert.deepStrictEqual(yield* http.backend.particulars ?? Effect.undefined, {
        origins: { max: 2, used: { [new URL(slow.url).origin]: 2 } }
      })
      assert.deepStrictEqual(yield* many(20, textOf(http, quick.url)), Array.from({ length: 20 }, () => "ok"))
      yield* Fiber.interrupt(stuck)
      yield* eventually(isFree(http))
    }))

  it.live("fails a wait that is too long and a queue that is too full, typed, with the oldest holder", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ headersAfter: Infinity }))
      const http = yield* open({
        url: Redacted.make(server.url),
        pool: { size: { perOrigin: 1 }, wait: { timeout: "50 millis", maxWaiting: 1 } }
      })
      const holder = yield* Effect.forkChild(http.client.get("/token/s3cret"))
      yield* eventually(Effect.map(http.stats, ({ active }) => active === 1))
      const failures = yield* many(2, failureOf(http.client.get("/")))
      assert.deepStrictEqual(failures.map(({ reason }) => reason._tag).toSorted(), ["AcquireTimeout", "QueueFull"])
      const timeout = failures.find(({ reason }) => reason._tag === "AcquireTimeout")
      assert.isTrue(PoolError.isPoolError(timeout))
      assert.include(timeout?.message ?? "", `GET ${server.url}`)
      assert.notInclude(timeout?.message ?? "", "s3cret")
      yield* Fiber.interrupt(holder)
      yield* eventually(isFree(http))
    }))

  it.live("asks for health ahead of who waits, and past an open circuit", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(({ method }) =>
        method === "HEAD" ? {} : { status: 500, headersAfter: "20 millis" }
      )
      const http = yield* open({
        url: Redacted.make(server.url),
        pool: { size: { perOrigin: 1 }, wait: { timeout: "20 seconds" } },
        policy: { retry: false, breaker: { window: 100, minimumCalls: 100, openFor: "1 minute" } }
      })
      const crowd = yield* Effect.forkChild(many(100, http.client.get("/")))
      yield* eventually(Effect.map(http.stats, ({ waiting }) => waiting > 80))
      assert.strictEqual((yield* http.health).status, "healthy")
      assert.isAbove((yield* http.stats).waiting, 40)
      yield* Fiber.join(crowd)
      assert.strictEqual((yield* http.backend.policy).circuit?.state, "open")
      assert.strictEqual((yield* http.health).status, "healthy")
    }))

  it.live("forgets the origin that was idle longest, and refuses one more than can be known, typed", () =>
    Effect.gen(function*() {
      const servers = yield* Effect.all(Array.from({ length: 4 }, () => FakeHttp.make()))
      const http = yield* open({ pool: { size: { origins: 2 } } })
      for (const server of servers) yield* textOf(http, server.url)
      assert.deepStrictEqual(
        (yield* http.stats).origins.map(({ origin }) => origin),
        servers.slice(2).map(({ url }) => url)
      )
      assert.strictEqual((yield* http.backend.policy).calls, 4)
      yield* eventually(Effect.map(http.stats, ({ total }) => total === 2))
      for (const server of servers) yield* server.script(() => ({ headersAfter: Infinity }))
      const [a, b, c] = servers
      const busy = yield* Effect.forkChild(Effect.all([http.client.get(a!.url), http.client.get(b!.url)], {
        concurrency: 2
      }))
      yield* eventually(Effect.map(http.stats, ({ active }) => active === 2))
      const failure = yield* failureOf(http.client.get(c!.url))
      assert.deepInclude(failure.reason, { _tag: "TooManyOrigins", max: 2 })
      yield* Fiber.interrupt(busy)
    }))

  it.live("holds nothing after 50 requests interrupted at random", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(({ index }) => ({
        body: "x".repeat(20_000),
        pieces: 4,
        headersAfter: index % 3 * 4,
        pieceAfter: index % 2 * 3
      }))
      const http = yield* open({ url: Redacted.make(server.url), pool: { size: { max: 5, perOrigin: 5 } } })
      for (let n = 0; n < 50; n++) {
        const fiber = yield* Effect.forkChild(many(3, textOf(http, "/")), { startImmediately: true })
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 25))
        yield* Fiber.interrupt(fiber)
        const { opening, total } = yield* http.stats
        assert.isAtMost(total + opening, 5)
      }
      yield* eventually(isFree(http))
      assert.strictEqual((yield* textOf(http, "/")).length, 20_000)
      yield* eventually(isFree(http))
      const { idle, total, used } = yield* http.stats
      assert.deepStrictEqual([idle, used], [total, 0])
      yield* eventually(Effect.map(server.stats, (stats) => stats.open === total))
    }).pipe(Random.withSeed("interrupts")))

  it.live("finishes bodies when it drains, refuses what comes, and closes every connection", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ body: "x".repeat(100), pieces: 4, pieceAfter: "50 millis" }))
      const http = yield* open({ url: Redacted.make(server.url) })
      const response = yield* http.client.get("/")
      const drained = yield* Effect.forkChild(http.backend.drain("5 seconds"), { startImmediately: true })
      const other = yield* FakeHttp.make()
      for (const url of ["/", other.url]) {
        assert.strictEqual((yield* failureOf(http.client.get(url))).reason._tag, "Closed")
      }
      assert.strictEqual((yield* response.text).length, 100)
      const report = yield* Fiber.join(drained)
      assert.deepStrictEqual([report.cut.length, report.leftOpen], [0, 0])
      yield* eventually(Effect.map(server.stats, (stats) => stats.open === 0))
    }))

  it.live("cuts at the deadline of a drain what does not end, and says whose it was", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ headersAfter: Infinity }))
      const http = yield* open({ url: Redacted.make(server.url), policy: { retry: false } })
      const stuck = yield* Effect.forkChild(failureOf(http.client.get("/")))
      yield* eventually(Effect.map(http.stats, ({ active }) => active === 1))
      const report = yield* http.backend.drain("50 millis")
      assert.deepStrictEqual(report.cut.map(({ label }) => label), [`GET ${server.url}`])
      assert.strictEqual((yield* Fiber.join(stuck)).reason._tag, "ConnectionLost")
      yield* eventually(Effect.map(server.stats, (stats) => stats.open === 0))
    }))
})
