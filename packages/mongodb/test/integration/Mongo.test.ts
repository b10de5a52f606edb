/** The driver's pool behind our face, on a server that may be killed. */
import { Operation } from "@breakwater/core"
import { Mongo } from "@breakwater/mongodb"
import { FaultProxy } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Redacted, Stream } from "effect"
import { eventually, faulty, find, insert, open, server, urlOf } from "../utils/database.ts"

const identity = (mongo: Mongo.Mongo) =>
  Effect.map(mongo.stats, (stats) => {
    const { checking, closing, idle, max, opening, used } = stats
    assert.isAtMost(idle + used + opening + checking + closing, max)
    assert.strictEqual(stats.opened - stats.closed, idle + used)
    for (const [name, value] of Object.entries(stats)) assert.isAtLeast(value, 0, name)
    return stats
  })

/** A server behind a proxy, which counts the connections whatever the server can tell of them. */
const counted = Effect.gen(function*() {
  const { hostname, port } = new URL(Redacted.value((yield* server).url))
  const proxy = yield* FaultProxy.make({ target: { host: hostname, port: Number(port) } })
  return { proxy, url: urlOf(proxy, "/shop?directConnection=true") }
})

describe("Mongo", () => {
  it.live("reads what it has written", () =>
    Effect.gen(function*() {
      const { url } = yield* server
      const mongo = yield* open(url)
      const title = `book ${Math.random()}`
      yield* mongo.use((db, _, limits) => db.collection("written").insertOne({ title, stock: 1 }, limits))
      yield* mongo.use((db, _, limits) => db.collection("written").updateOne({ title }, { $inc: { stock: 2 } }, limits))
      const found = yield* mongo.use((db, _, limits) => db.collection("written").findOne({ title }, limits))
      assert.strictEqual(found?.["stock"], 3)
      const count = mongo.use((db, _, limits) => db.collection("written").countDocuments({ title }, limits))
      assert.strictEqual(yield* count, 1)
      yield* mongo.use((db, _, limits) => db.collection("written").deleteMany({ title }, limits))
      assert.strictEqual(yield* count, 0)
    }))

  it.live("publishes what the driver has found, and nothing before, nor of a client that is gone", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* counted
      const mongo = yield* open(url, { pool: { start: "lazy" } })
      const { backend: { particulars = Effect.undefined } } = mongo
      assert.deepStrictEqual(yield* particulars, {})
      yield* mongo.use(find)
      assert.deepStrictEqual(yield* particulars, {
        topology: { type: "Single", servers: [`${proxy.host}:${proxy.port}`] }
      })
      yield* mongo.backend.clear()
      assert.deepStrictEqual(yield* particulars, {})
    }))

  it.live("does not count among the known servers one that has gone", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* counted
      const mongo = yield* open(url, { driver: { heartbeat: { every: "500 millis" } } })
      yield* mongo.use(find)
      yield* proxy.refuse
      yield* proxy.reset
      const { backend: { particulars = Effect.undefined } } = mongo
      yield* eventually(Effect.map(particulars, (now) => now?.topology?.servers.length === 0))
    }))

  it.live("leaves the open connections as they were after 1,000 operations", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* counted
      const mongo = yield* open(url, { pool: { size: { min: 2, max: 5 } } })
      yield* eventually(Effect.map(mongo.stats, ({ idle }) => idle === 2))
      yield* mongo.use(find)
      const { accepted } = yield* proxy.stats
      const { opened } = yield* mongo.stats
      for (let n = 0; n < 1000; n++) yield* mongo.use(find)
      assert.strictEqual((yield* identity(mongo)).opened, opened)
      // The driver may open the second of its own two, by which it watches the server.
      assert.isAtMost((yield* proxy.stats).accepted, accepted + 1)
      assert.isAtMost((yield* proxy.stats).open, opened + 2)
    }))

  it.live("serves 100 at once with no more connections than allowed, as the way to the server counts them", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* counted
      const mongo = yield* open(url, { pool: { size: { min: 0, max: 20 } } })
      const done = yield* Effect.forEach(Array.from({ length: 100 }), () => mongo.use(find), {
        concurrency: "unbounded"
      })
      assert.strictEqual(done.length, 100)
      // Beside those of the pool, the driver monitors each server on one or two connections of its own.
      assert.isAtMost((yield* proxy.stats).peak, 22)
      const stats = yield* identity(mongo)
      assert.isAtLeast(stats.acquired, 100)
      assert.deepStrictEqual([stats.used, stats.waiting, stats.timedOut], [0, 0, 0])
    }))

  it.live("works again after every connection was cut", () =>
    Effect.gen(function*() {
      const { proxy, url } = yield* counted
      const mongo = yield* open(url, { pool: { size: { min: 3, max: 3 } } })
      yield* eventually(Effect.map(mongo.stats, ({ idle }) => idle === 3))
      assert.isAtLeast((yield* proxy.stats).open, 4)
      yield* proxy.reset
      yield* eventually(Effect.map(mongo.stats, ({ closed }) => closed === 3))
      yield* mongo.use(find)
      yield* eventually(Effect.map(mongo.stats, ({ idle }) => idle === 3))
      yield* identity(mongo)
    }))

  it.live("is there as soon as the server is, though the first calls found none", () =>
    Effect.gen(function*() {
      const one = yield* server
      yield* one.kill
      const mongo = yield* open(one.url, {
        pool: { start: "lazy" },
        policy: { retry: { times: 0 } },
        driver: { serverSelectionTimeout: "200 millis" }
      })
      for (const call of [1, 2]) {
        const { reason } = yield* Effect.flip(mongo.use(find))
        assert.strictEqual(reason._tag, "ServerSelection", `call ${call}`)
      }
      yield* one.start
      yield* eventually(Effect.isSuccess(mongo.use(find)))
      const { cut, leftOpen } = yield* mongo.backend.drain("1 second")
      assert.deepStrictEqual([cut.length, leftOpen], [0, 0])
    }))

  it.live(
    "shows typed failures while the server is dead, and recovers by itself when it is back",
    () =>
      Effect.gen(function*() {
        const one = yield* server
        const mongo = yield* open(one.url, {
          pool: { size: { min: 2, max: 4 } },
          driver: { serverSelectionTimeout: "300 millis" },
          policy: { timeout: "2 seconds" }
        })
        yield* mongo.use(find)
        yield* one.kill
        // In the instant of the death, Bun may tell the driver nothing: then the time limit ends the call.
        const allowed = ["ConnectionLost", "ServerSelection", ..."Bun" in globalThis ? ["AttemptTimeout"] : []]
        for (let n = 0; n < 4; n++) {
          const error = yield* Effect.flip(mongo.use(find))
          assert.include(allowed, error.reason._tag)
        }
        assert.strictEqual((yield* mongo.health).status, "unhealthy")
        yield* one.start
        yield* eventually(Effect.map(Effect.exit(mongo.use(find)), Exit.isSuccess))
        yield* eventually(Effect.map(mongo.stats, ({ idle }) => idle >= 2))
        assert.strictEqual((yield* mongo.health).status, "healthy")
        assert.isAtLeast((yield* identity(mongo)).unavailable, 1)
      }),
    20_000
  )

  it.live("holds nothing after 50 interrupts at moments drawn from a seed", () =>
    Effect.gen(function*() {
      const { url } = yield* server
      const mongo = yield* open(url, { pool: { size: { min: 1, max: 3 } } })
      let seed = 42
      const next = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below
      for (let n = 0; n < 50; n++) {
        const calls = Array.from({ length: 1 + next(6) }, () => mongo.use(next(2) === 0 ? find : insert))
        const fiber = yield* Effect.forkChild(Effect.all(calls, { concurrency: "unbounded" }))
        const turns = next(20)
        for (let turn = 0; turn < turns; turn++) yield* Effect.promise(() => new Promise((run) => setImmediate(run)))
        yield* Fiber.interrupt(fiber)
      }
      yield* eventually(Effect.map(mongo.stats, ({ opening, used, waiting }) => opening + used + waiting === 0))
      yield* mongo.use(find)
      assert.strictEqual((yield* identity(mongo)).used, 0)
    }), 20_000)

  it.live("says of each connection and check-out what happened", () =>
    Effect.gen(function*() {
      const { url } = yield* server
      const mongo = yield* open(url, { pool: { size: { min: 0, max: 2 }, start: "lazy" } })
      const seen: Array<string> = []
      const listening = yield* Effect.forkChild(
        Stream.runForEach(mongo.backend.events, ({ _tag }) => Effect.sync(() => seen.push(_tag))),
        { startImmediately: true }
      )
      yield* mongo.use(find)
      yield* mongo.use(find)
      const { acquired, reused } = yield* mongo.stats
      assert.deepStrictEqual([acquired, reused], [2, 1])
      const report = yield* mongo.backend.drain("1 second")
      assert.deepStrictEqual([report.cut.length, report.leftOpen], [0, 0])
      const refused = yield* Effect.flip(mongo.use(find))
      assert.deepStrictEqual([refused._tag, refused.reason._tag], ["PoolError", "Closed"])
      yield* eventually(Effect.sync(() => seen.includes("ClosedRefused")))
      assert.deepStrictEqual(seen.slice(0, 6), ["Waited", "Dialed", "Acquired", "Returned", "Acquired", "Returned"])
      assert.deepStrictEqual(seen.slice(-3), ["Closed", "Drained", "ClosedRefused"])
      yield* Fiber.interrupt(listening)
      const stats = yield* identity(mongo)
      assert.deepStrictEqual([stats.opened, stats.closed, stats.refusedClosed], [1, 1, 1])
    }))

  it.live("replaces its connections on clear, and cuts the work on them where that is asked for", () =>
    Effect.gen(function*() {
      const { url } = yield* server
      const mongo = yield* open(url, { pool: { size: { min: 0, max: 2 }, start: "lazy" } })
      yield* mongo.use(find)
      yield* mongo.backend.clear()
      yield* mongo.use(find)
      yield* eventually(Effect.map(mongo.stats, ({ closed, idle, max }) => closed === 1 && idle === 1 && max === 2))
      const untilAborted: Mongo.Work<unknown> = (_, signal) =>
        new Promise((settle) => signal.addEventListener("abort", settle))
      const hanging = yield* Effect.forkChild(Effect.flip(mongo.use(untilAborted)), { startImmediately: true })
      yield* mongo.backend.clear({ interrupt: true })
      assert.strictEqual((yield* Fiber.join(hanging)).reason._tag, "Revoked")
      yield* mongo.use(find)
    }))

  it.live("costs no call where it is paused while the server restarts", () =>
    Effect.gen(function*() {
      const one = yield* server
      const mongo = yield* open(one.url, { pool: { size: { min: 1, max: 2 }, start: "lazy" } })
      const seen: Array<string> = []
      const listening = Stream.runForEach(mongo.backend.events, ({ _tag }) => Effect.sync(() => seen.push(_tag)))
      yield* Effect.forkChild(listening, { startImmediately: true })
      yield* mongo.use(insert)
      yield* mongo.backend.pause!
      yield* eventually(Effect.map(mongo.stats, ({ idle, used }) => idle + used === 0))
      const before = (yield* mongo.stats).opened
      const calls = yield* Effect.forkChild(
        Effect.forEach(Array(5).keys(), () => mongo.use(insert), { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      const warming = yield* Effect.forkChild(mongo.backend.warm, { startImmediately: true })
      yield* mongo.backend.clear()
      assert.strictEqual((yield* mongo.health).status, "unhealthy")
      yield* one.restart
      assert.include(yield* mongo.stats, { opened: before, waiting: 6 })
      yield* mongo.backend.resume!
      yield* Fiber.join(calls)
      yield* Fiber.join(warming)
      assert.include(yield* identity(mongo), { waiting: 0 })
      assert.includeMembers(seen, ["Paused", "Resumed"])
    }), 20_000)

  it.live("bounds what waits for the end of a pause, and counts how each wait ended", () =>
    Effect.gen(function*() {
      const { url } = yield* server
      const mongo = yield* open(url, {
        pool: { size: { min: 0, max: 1 }, wait: { timeout: "100 millis", maxWaiting: 2 } },
        policy: { timeout: "50 millis" }
      })
      yield* mongo.backend.pause!
      const late = yield* Effect.forkChild(Effect.flip(mongo.use(find)), { startImmediately: true })
      const interrupted = yield* Effect.forkChild(mongo.use(find), { startImmediately: true })
      assert.include((yield* Effect.flip(mongo.use(find))).reason, { _tag: "QueueFull", maxWaiting: 2 })
      yield* Fiber.interrupt(interrupted)
      assert.include((yield* Fiber.join(late)).reason, { _tag: "AcquireTimeout", paused: true })
      const closed = yield* Effect.forkChild(Effect.flip(mongo.use(find)), { startImmediately: true })
      yield* mongo.backend.drain(0)
      assert.strictEqual((yield* Fiber.join(closed)).reason._tag, "Closed")
      assert.include(yield* mongo.stats, { waiting: 0, timedOut: 1, cancelled: 1, refused: 1, refusedClosed: 1 })
    }))

  it.live("opens nothing before it is used with start lazy, and min at once with warm", () =>
    Effect.gen(function*() {
      const { url } = yield* server
      const mongo = yield* open(url, { pool: { size: { min: 3, max: 4 }, start: "lazy" } })
      assert.strictEqual((yield* mongo.stats).opened, 0)
      yield* mongo.backend.warm
      assert.isAtLeast((yield* mongo.stats).idle, 3)
    }))

  it.live("fails fast where it is asked to, and leaves nothing behind", () =>
    Effect.gen(function*() {
      const one = yield* server
      yield* one.kill
      const error = yield* Effect.flip(
        open(one.url, { pool: { start: "fail-fast" }, driver: { serverSelectionTimeout: "200 millis" } })
      )
      assert.strictEqual(error._tag, "PoolError")
      assert.strictEqual(error._tag === "PoolError" ? error.reason._tag : "", "Unavailable")
    }))

  it.live("repeats a whole call that is marked idempotent", () =>
    Effect.gen(function*() {
      const { fake, mongo } = yield* faulty({ policy: { retry: { times: 2 } } })
      yield* fake.fail({ command: "find", times: 1, cut: "after" })
      const lost = yield* Effect.flip(mongo.use(find))
      assert.strictEqual(lost.reason._tag, "ConnectionLost")
      yield* fake.fail({ command: "find", times: 1, cut: "after" })
      yield* Operation.idempotent(mongo.use(find))
    }))
})
