import { FakeTcp } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Client from "../utils/client.ts"

/** Long enough in real time for an answer that nothing holds back. */
const settle = TestClock.withLive(Effect.sleep("50 millis"))

const untilOpen = (server: FakeTcp.FakeTcp, count: number) =>
  Client.eventually(Effect.map(server.stats, ({ open }) => open === count))

describe("FakeTcp", () => {
  it.effect("sends back what it gets, and counts the connections", () =>
    Effect.gen(function*() {
      const server = yield* FakeTcp.make()
      const [first, second] = yield* Effect.all([Client.connect(server), Client.connect(server)])
      yield* first.send("hello")
      assert.strictEqual(yield* first.read(5), "hello")
      yield* untilOpen(server, 2)
      yield* second.end
      yield* untilOpen(server, 1)
      assert.deepStrictEqual(yield* server.stats, { open: 1, peak: 2, accepted: 2 })
    }))

  it.effect("says nothing when it is silent, and sees the client's end", () =>
    Effect.gen(function*() {
      const server = yield* FakeTcp.make(FakeTcp.silent)
      const client = yield* Client.connect(server)
      yield* client.send("hello")
      yield* settle
      assert.strictEqual(client.received(), "")
      assert.isFalse(client.isClosed())
      yield* client.end
      yield* untilOpen(server, 0)
    }))

  it.effect("ends a connection at once and takes it for open until the client ends it, too", () =>
    Effect.gen(function*() {
      const server = yield* FakeTcp.make(FakeTcp.ends)
      const client = yield* Client.connect(server, { allowHalfOpen: true })
      yield* client.ended
      yield* client.send("to nobody")
      yield* settle
      assert.isFalse(client.isClosed())
      assert.strictEqual((yield* server.stats).open, 1)
      yield* client.end
      yield* untilOpen(server, 0)
    }))

  it.effect("resets a connection at once", () =>
    Effect.gen(function*() {
      const server = yield* FakeTcp.make(FakeTcp.resets)
      const seen = yield* Client.connect(server).pipe(
        Effect.flatMap(({ closed }) => closed),
        Effect.catch(({ code }) => Effect.succeed(code))
      )
      assert.include(["RST", "ECONNRESET"], seen)
      yield* untilOpen(server, 0)
      assert.strictEqual((yield* server.stats).accepted, 1)
    }))

  it.effect("falls silent in the middle of a connection", () =>
    Effect.gen(function*() {
      const server = yield* FakeTcp.make(FakeTcp.silentAfter(3, FakeTcp.echo))
      const client = yield* Client.connect(server)
      yield* client.send("ab")
      assert.strictEqual(yield* client.read(2), "ab")
      yield* client.send("cd")
      assert.strictEqual(yield* client.read(3), "abc")
      yield* client.send("e")
      yield* settle
      assert.strictEqual(client.received(), "abc")
      assert.isFalse(client.isClosed())
    }))

  it.effect("serves one connection a second, while the others wait connected", () =>
    Effect.gen(function*() {
      const server = yield* FakeTcp.make(FakeTcp.acceptRate(1, FakeTcp.echo))
      const first = yield* Client.connect(server)
      yield* first.send("a")
      assert.strictEqual(yield* first.read(1), "a")
      const second = yield* Client.connect(server)
      yield* second.send("b")
      yield* untilOpen(server, 2)
      yield* TestClock.adjust("999 millis")
      yield* settle
      assert.strictEqual(second.received(), "")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* second.read(1), "b")
    }))

  it.effect("treats the connections that come next by another script", () =>
    Effect.gen(function*() {
      const server = yield* FakeTcp.make(FakeTcp.silent)
      yield* Client.connect(server)
      yield* untilOpen(server, 1)
      yield* server.script(({ write }) => write("welcome"))
      assert.strictEqual(yield* Effect.flatMap(Client.connect(server), ({ read }) => read(7)), "welcome")
    }))

  it.effect("refuses while it is killed, and comes back on the same port", () =>
    Effect.gen(function*() {
      const server = yield* FakeTcp.make()
      const client = yield* Client.connect(server)
      yield* untilOpen(server, 1)
      yield* server.kill
      assert.strictEqual((yield* server.stats).open, 0)
      assert.strictEqual(yield* client.closed, "RST")
      assert.strictEqual((yield* Effect.flip(Client.connect(server))).code, "ECONNREFUSED")
      yield* server.restore
      const next = yield* Client.connect(server)
      yield* next.send("x")
      assert.strictEqual(yield* next.read(1), "x")
    }))
})
