/** What is done around requests, beyond retry and breaker. */
import { Backends, Deadline, Health, Operation, Policy } from "@breakwater/core"
import { Http } from "@breakwater/http"
import { FakeHttp } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { eventually, failureOf, open, textOf } from "../utils/http.ts"

const url = ({ url: at }: FakeHttp.FakeHttp) => Redacted.make(at)

/** More than is kept for a reader: without one the server could not get rid of it. */
const LARGE = "late".repeat(100_000)

/** Of the requests for anything but `/warm`, which may be asked for twice on a slow machine, the first is late. */
const late = (headersAfter: "400 millis" | "Infinity"): FakeHttp.Script => {
  const others = FakeHttp.inTurn({ body: LARGE, headersAfter }, { body: "soon" })
  return (request) => request.path === "/warm" ? { body: "warm" } : others(request)
}

describe("A hedged request", () => {
  it.live("is answered by whoever is first, and what comes later keeps no connection", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(late("400 millis"))
      const http = yield* open({ url: url(server), policy: { hedge: { after: "50 millis" } } })
      assert.strictEqual(yield* textOf(http, "/warm"), "warm")
      yield* eventually(Effect.map(http.stats, ({ active }) => active === 0))
      const before = yield* http.backend.policy
      assert.strictEqual(yield* textOf(http, "/"), "soon")
      const { hedges, hedgesWon } = yield* http.backend.policy
      assert.deepStrictEqual([hedges - before.hedges, hedgesWon - before.hedgesWon], [1, 1])
      assert.strictEqual((yield* http.stats).active, 1)
      yield* eventually(Effect.map(http.stats, ({ active }) => active === 0))
    }))

  it.live("leaves nothing of the slower one that is cut, or whose caller is", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(late("Infinity"))
      const http = yield* open({ url: url(server), policy: { hedge: { after: "50 millis", cancelLoser: true } } })
      yield* textOf(http, "/warm")
      assert.strictEqual(yield* textOf(http, "/"), "soon")
      yield* eventually(Effect.map(http.stats, ({ active }) => active === 0))
      yield* server.script(() => ({ headersAfter: "Infinity" }))
      const caller = yield* Effect.forkChild(http.client.get("/"))
      yield* eventually(Effect.map(http.stats, ({ active }) => active === 2))
      yield* Fiber.interrupt(caller)
      yield* eventually(Effect.map(http.stats, ({ active }) => active === 0))
    }))

  it.live("is the program's also where both fail by their status, once", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ status: 500, headersAfter: "100 millis" }))
      const http = yield* open({ url: url(server), policy: { hedge: { after: "50 millis" } } })
      const response = yield* http.client.get("/")
      assert.strictEqual(response.status, 500)
      yield* response.text
      yield* eventually(Effect.map(http.stats, ({ active }) => active === 0))
      assert.strictEqual((yield* server.stats).requests, 2)
    }))

  it.live("gets the connection of an answer that failed, whose body nobody reads", () =>
    Effect.gen(function*() {
      const failed = { status: 503, headersAfter: "600 millis", body: LARGE } as const
      const server = yield* FakeHttp.make(FakeHttp.inTurn(failed, { body: "soon" }))
      const http = yield* open({
        url: url(server),
        pool: { size: { max: 1 } },
        policy: { hedge: { after: "50 millis" } }
      })
      assert.strictEqual(yield* textOf(http, "/"), "soon")
      yield* eventually(Effect.map(http.stats, ({ active }) => active === 0))
    }))

  it.live("goes to another one of several hosts", () =>
    Effect.gen(function*() {
      const slow: FakeHttp.Script = () => ({ headersAfter: "Infinity" })
      const servers = yield* Effect.all([FakeHttp.make(), FakeHttp.make()])
      const http = yield* open({
        hosts: servers.map(url),
        policy: { hedge: { after: "50 millis", cancelLoser: true } }
      })
      yield* servers[0].script(slow)
      const answers = yield* Effect.replicateEffect(textOf(http, "/"), 10)
      assert.deepStrictEqual(new Set(answers), new Set(["ok"]))
      assert.isAbove((yield* http.backend.policy).hedgesWon, 0)
    }))
})

describe("Limits of requests", () => {
  const stuck = FakeHttp.make(({ path }) => path === "/health" ? {} : { headersAfter: "Infinity" })

  it.live("refuse one too many, typed, and are in the backend's health", () =>
    Backends.isolated(Effect.gen(function*() {
      const server = yield* stuck
      const http = yield* Http.make({
        name: "payments",
        url: url(server),
        healthPath: "/health",
        policy: { bulkhead: { permits: 1, queue: 0 } }
      })
      const first = yield* Effect.forkChild(http.client.get("/"))
      yield* eventually(Effect.map(server.stats, ({ requests }) => requests === 1))
      assert.strictEqual((yield* failureOf(http.client.get("/"))).reason._tag, "BulkheadFull")
      const { backends } = yield* Health.check()
      assert.deepInclude(backends["payments"]?.limit, { limit: 1, running: 1, waiting: 0 })
      yield* Fiber.interrupt(first)
    })))

  it.live("are each origin's own; what is shown is the fullest", () =>
    Effect.gen(function*() {
      const [full, free] = yield* Effect.all([stuck, FakeHttp.make()])
      const http = yield* open({ policy: { adaptiveLimit: { limit: { initial: 2, max: 2 } } } })
      const first = yield* Effect.forkChild(http.client.get(full.url))
      yield* eventually(Effect.map(full.stats, ({ requests }) => requests === 1))
      assert.strictEqual(yield* textOf(http, free.url), "ok")
      assert.deepInclude((yield* http.backend.policy).adaptiveLimit, { limit: 2, running: 1 })
      yield* Fiber.interrupt(first)
    }))

  it.live("bound the rate", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const http = yield* open({
        url: url(server),
        policy: { rateLimit: { limit: 1, interval: "1 minute", maxWait: 0 } }
      })
      yield* textOf(http, "/")
      assert.strictEqual((yield* failureOf(http.client.get("/"))).reason._tag, "RateLimited")
    }))
})

describe("The deadline of a request", () => {
  const told = (server: FakeHttp.FakeHttp) =>
    Effect.map(server.requests, (all) => all.map(({ headers }) => Number(headers["x-deadline"])))

  it.live("is told to the server by the header that was named, and is what is left of it", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const policy = { deadline: "10 seconds", timeout: "4 seconds", deadlineHeader: "X-Deadline" } as const
      const http = yield* open({ url: url(server), policy })
      yield* textOf(http, "/")
      const read = Operation.make("read", { idempotent: true })
      yield* Policy.apply(textOf(http, "/"), Deadline.make("3 seconds"), read)
      const [own = 0, inherited = 0] = yield* told(server)
      assert.strictEqual(own, 4000)
      assert.isTrue(inherited > 0 && inherited <= 3000)
      const silent = yield* open({ url: url(server) })
      yield* textOf(silent, "/")
      assert.deepStrictEqual((yield* told(server)).map(Number.isNaN), [false, false, true])
    }))

  it("is not told by what is no name of a header", () => {
    assert.throws(
      () => Http.make({ name: "payments", policy: { deadlineHeader: "a b" } }),
      RangeError,
      "Option \"policy.deadlineHeader\" is \"a b\"; allowed is the name of a header."
    )
  })
})
