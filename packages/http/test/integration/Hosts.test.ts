/** Several servers of one upstream, of which some are ill. */
import { PolicyError, RetryBudget } from "@breakwater/core"
import type { Http } from "@breakwater/http"
import { FakeHttp, Fault, FaultProxy } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Redacted, Stream } from "effect"
import { eventually, failureOf, open, textOf } from "../utils/http.ts"

const ill: FakeHttp.Script = () => ({ status: 500 })

/** Well, all of them, and each answers with its number. */
const servers = (count: number) =>
  Effect.forEach(Array(count).keys(), (n) => FakeHttp.make(() => ({ body: String(n) })))

const hostsOf = (all: ReadonlyArray<FakeHttp.FakeHttp>, path = "") =>
  all.map(({ url }) => Redacted.make(`${url}${path}`))

const requestsOf = (server: FakeHttp.FakeHttp) => Effect.map(server.stats, ({ requests }) => requests)

const statusOf = (http: Http.Http) => Effect.map(http.client.get("/"), ({ status }) => status)

const failuresIn = (http: Http.Http, calls: number) =>
  Effect.map(
    Effect.replicateEffect(statusOf(http), calls, { concurrency: 8 }),
    (all) => all.filter((status) => status !== 200).length
  )

describe("Http with several hosts", () => {
  it.live("loses a tenth of its requests to one bad host in ten, and after an interval none", () =>
    Effect.gen(function*() {
      const all = yield* servers(10)
      const http = yield* open({
        hosts: hostsOf(all),
        // Without a retry, which would hide the bad one.
        policy: { retry: false, ejection: { interval: "500 millis", minimumCalls: 5 } }
      })
      const ejected = yield* Effect.forkChild(Stream.runHead(http.ejections), { startImmediately: true })
      assert.strictEqual(yield* failuresIn(http, 200), 0)
      yield* all[3]!.script(ill)
      let failures = 0
      while (ejected.pollUnsafe() === undefined) failures += yield* failuresIn(http, 100)
      assert.isAbove(failures, 0)
      assert.propertyVal(Option.getOrThrow(yield* Fiber.join(ejected)), "key", all[3]!.url)
      const before = yield* requestsOf(all[3]!)
      assert.strictEqual(yield* failuresIn(http, 500), 0)
      assert.strictEqual(yield* requestsOf(all[3]!), before)
      const { origins } = yield* http.stats
      assert.deepStrictEqual(origins.filter((one) => one.ejected).map(({ origin }) => origin), [all[3]!.url])
    }))

  it.live("goes to the one with less to do", () =>
    Effect.gen(function*() {
      const all = yield* servers(2)
      const http = yield* open({ hosts: hostsOf(all) })
      yield* all[0]!.script(() => ({ headersAfter: Infinity }))
      const stuck = yield* Effect.forkChild(Effect.replicateEffect(Effect.exit(statusOf(http)), 4, { concurrency: 4 }))
      yield* eventually(Effect.map(http.stats, ({ active, origins }) =>
        active > 0 && origins.some((one) =>
          one.origin === all[0]!.url && one.active === active
        )))
      const before = yield* requestsOf(all[0]!)
      assert.deepStrictEqual(new Set(yield* Effect.replicateEffect(textOf(http, "/"), 20)), new Set(["1"]))
      assert.strictEqual(yield* requestsOf(all[0]!), before)
      yield* Fiber.interrupt(stuck)
    }))

  it.live("repeats at another host, also a POST where it was not sent", () =>
    Effect.gen(function*() {
      const all = yield* servers(2)
      const http = yield* open({ hosts: hostsOf(all), policy: { retry: { times: 1 } } })
      yield* all[0]!.kill
      const posts = yield* Effect.replicateEffect(http.client.post("/"), 8)
      assert.deepStrictEqual(new Set(posts.map(({ status }) => status)), new Set([200]))
      yield* all[0]!.restore
      yield* all[0]!.script(ill)
      assert.strictEqual(yield* failuresIn(http, 8), 0)
    }))

  it.live("has one budget for all hosts", () =>
    Effect.gen(function*() {
      const all = yield* servers(3)
      const budget = RetryBudget.make({ perSecond: 0, share: 1 })
      const http = yield* open({ hosts: hostsOf(all), policy: { retry: { times: 3, budget } } })
      assert.strictEqual(yield* failuresIn(http, 5), 0)
      for (const server of all) yield* server.script(ill)
      assert.strictEqual(yield* failuresIn(http, 20), 20)
      assert.strictEqual((yield* Effect.forEach(all, requestsOf)).reduce((a, b) => a + b), 5 + 20 + 5)
      assert.include(yield* http.backend.policy, { calls: 25, attempts: 30, retries: 5 })
    }))

  it.live("passes by a host whose circuit is open, and fails once all are", () =>
    Effect.gen(function*() {
      const all = yield* servers(2)
      const breaker = { window: 4, minimumCalls: 2, openFor: "1 minute" } as const
      const http = yield* open({ hosts: hostsOf(all), policy: { breaker } })
      yield* all[0]!.script(ill)
      const circuits = Effect.map(
        http.stats,
        ({ origins }) => origins.filter(({ circuit }) => circuit === "open").length
      )
      yield* eventually(Effect.andThen(failuresIn(http, 8), Effect.map(circuits, (count) => count === 1)))
      const before = yield* requestsOf(all[0]!)
      assert.strictEqual(yield* failuresIn(http, 50), 0)
      assert.strictEqual(yield* requestsOf(all[0]!), before)
      yield* all[1]!.script(ill)
      yield* eventually(Effect.andThen(Effect.exit(statusOf(http)), Effect.map(circuits, (count) => count === 2)))
      const error = yield* failureOf(http.client.get("/"))
      assert.isTrue(PolicyError.isPolicyError(error) && error.reason._tag === "CircuitOpen")
    }))

  it.live("takes the first URL for all of them, by every way in, and any other one for itself", () =>
    Effect.gen(function*() {
      const all = yield* servers(3)
      const http = yield* open({ hosts: hostsOf(all, "/v1") })
      const asked = new Set(yield* Effect.replicateEffect(textOf(http, "/x?y"), 50))
      assert.deepStrictEqual(asked, new Set(["0", "1", "2"]))
      assert.deepStrictEqual(
        new Set((yield* Effect.forEach(all, ({ requests }) => requests)).flat().map(({ path }) => path)),
        new Set(["/v1/x?y"])
      )
      const fetched = Effect.promise(() => http.fetch(`${all[0]!.url}/v1/z`).then((response) => response.text()))
      assert.deepStrictEqual(new Set(yield* Effect.replicateEffect(fetched, 50)), new Set(["0", "1", "2"]))
      const direct = yield* Effect.replicateEffect(textOf(http, `${all[2]!.url}/v1/x`), 20)
      assert.deepStrictEqual(new Set(direct), new Set(["2"]))
      assert.deepStrictEqual(
        new Set(yield* Effect.replicateEffect(textOf(http, `${all[0]!.url}/`), 20)),
        new Set(["0"])
      )
    }))

  it.live("stays signed in where a host redirects to itself", () =>
    Effect.gen(function*() {
      const all = yield* servers(2)
      for (const server of all) {
        yield* server.script(({ path }) =>
          path === "/a" ? { status: 302, headers: { location: `${server.url}/b` } } : { body: "there" }
        )
      }
      const [first, second] = all
      const hosts = [Redacted.make(first!.url.replace("//", "//us:pw@")), Redacted.make(second!.url)]
      const http = yield* open({ hosts })
      for (let n = 0; n < 10; n++) {
        const response = yield* http.client.get("/a")
        assert.strictEqual(yield* response.text, "there")
      }
      const asked = (yield* Effect.forEach(all, ({ requests }) => requests)).flat()
      assert.deepStrictEqual(
        new Set(asked.map(({ headers }) => headers["authorization"])),
        new Set([`Basic ${btoa("us:pw")}`])
      )
    }))

  it.live("is healthy while one of them answers", () =>
    Effect.gen(function*() {
      const all = yield* servers(2)
      const http = yield* open({ hosts: hostsOf(all) })
      yield* all[0]!.kill
      assert.strictEqual((yield* http.health).status, "healthy")
      yield* all[1]!.kill
      assert.strictEqual((yield* http.health).status, "unhealthy")
    }))
})

describe("Connections of an origin that have broken without a word", () => {
  const broken = (recover: false | undefined) =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ headersAfter: 50, body: "ok" }))
      const proxy = yield* FaultProxy.make({ target: server })
      const http = yield* open({
        url: Redacted.make(`http://127.0.0.1:${proxy.port}`),
        policy: { retry: { times: 1 }, recover }
      })
      yield* Effect.replicateEffect(textOf(http, "/"), 8, { concurrency: 8 })
      yield* eventually(Effect.map(http.stats, ({ idle }) => idle === 8))
      yield* proxy.apply(Fault.forget)
      return http
    })

  it.live("are replaced once for all callers, who are all served after it", () =>
    Effect.gen(function*() {
      const http = yield* broken(undefined)
      const answers = yield* Effect.replicateEffect(textOf(http, "/"), 100, { concurrency: "unbounded" })
      assert.deepStrictEqual(new Set(answers), new Set(["ok"]))
      assert.include(yield* http.backend.policy, { recoveries: 1 })
    }))

  it.live("cost one caller one attempt, and not one for each of them", () =>
    Effect.gen(function*() {
      const http = yield* broken(undefined)
      for (let n = 0; n < 8; n++) assert.strictEqual(yield* textOf(http, "/"), "ok")
      assert.include(yield* http.backend.policy, { recoveries: 1, retries: 1 })
      const without = yield* broken(false)
      assert.strictEqual((yield* failureOf(without.client.get("/"))).reason._tag, "ConnectionLost")
    }))

  it.live("are kept where a connection breaks in its first use", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ body: "ok" }))
      const http = yield* open({ url: Redacted.make(server.url) })
      yield* textOf(http, "/")
      yield* server.script(({ path }) => path === "/bad" ? { reset: true } : { body: "ok" })
      // On the one that was kept, and on one of its own.
      yield* failureOf(http.client.post("/bad"))
      yield* failureOf(http.client.post("/bad"))
      assert.include(yield* http.backend.policy, { recoveries: 1 })
    }))
})
