import { FaultProxy } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Client from "../utils/client.ts"

const setUp = Effect.gen(function*() {
  const echo = yield* Client.echoServer
  const proxy = yield* FaultProxy.make({ target: echo })
  return { echo, proxy }
})

describe("FaultProxy", () => {
  it.effect("passes bytes both ways and counts them", () =>
    Effect.gen(function*() {
      const { proxy } = yield* setUp
      const client = yield* Client.connect(proxy)
      yield* client.send("hello")
      assert.strictEqual(yield* client.read(5), "hello")
      assert.deepStrictEqual(yield* proxy.stats, { open: 1, peak: 1, accepted: 1, bytesUp: 5, bytesDown: 5 })
    }))

  it.effect("passes a megabyte unharmed through a reader that pauses", () =>
    Effect.gen(function*() {
      const { proxy } = yield* setUp
      const client = yield* Client.connect(proxy)
      const text = "0123456789abcdef".repeat(1 << 18)
      yield* client.send(text)
      assert.isTrue(yield* Effect.map(client.read(text.length), (received) => received === text))
    }))

  it.effect("passes an end of one direction on while the other goes on", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const client = yield* Client.connect(proxy)
      yield* client.send("last")
      yield* client.end
      assert.strictEqual(yield* client.read(4), "last")
      assert.strictEqual(yield* client.closed, "FIN")
      yield* echo.untilOpen(0)
      assert.strictEqual((yield* proxy.stats).open, 0)
    }))

  it.effect("counts the open connections, their peak and all that came", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const first = yield* Client.connect(proxy)
      yield* Client.connect(proxy)
      yield* echo.untilOpen(2)
      yield* first.end
      yield* first.closed
      yield* echo.untilOpen(1)
      const { accepted, open, peak } = yield* proxy.stats
      assert.deepStrictEqual({ accepted, open, peak }, { accepted: 2, open: 1, peak: 2 })
    }))

  it.effect("holds bytes back for the delay in each direction and keeps their order", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const client = yield* Client.connect(proxy)
      yield* echo.untilOpen(1)
      yield* proxy.delay("1 second")
      yield* client.send("one ")
      yield* TestClock.withLive(Effect.sleep("30 millis"))
      yield* client.send("two")
      yield* TestClock.withLive(Effect.sleep("30 millis"))
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(echo.received(), "")
      yield* TestClock.adjust("1 millis")
      yield* echo.untilReceived("one two")
      yield* TestClock.withLive(Effect.sleep("30 millis"))
      assert.strictEqual(client.received(), "")
      const { bytesDown, bytesUp } = yield* proxy.stats
      assert.deepStrictEqual({ bytesDown, bytesUp }, { bytesDown: 0, bytesUp: 7 })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* client.read(7), "one two")
    }))

  it.effect("lets later bytes wait behind those that a longer delay still holds", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const client = yield* Client.connect(proxy)
      yield* echo.untilOpen(1)
      yield* proxy.delay("1 second")
      yield* client.send("slow ")
      yield* TestClock.withLive(Effect.sleep("30 millis"))
      yield* proxy.delay(0)
      yield* client.send("fast")
      yield* TestClock.withLive(Effect.sleep("30 millis"))
      assert.strictEqual(echo.received(), "")
      yield* TestClock.adjust("1 second")
      yield* echo.untilReceived("slow fast")
    }))

  it.effect("delays a connection that comes later too", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      yield* proxy.delay("1 second")
      yield* Client.connect(proxy)
      yield* TestClock.withLive(Effect.sleep("30 millis"))
      assert.strictEqual(echo.open(), 0)
      yield* TestClock.adjust("1 second")
      yield* echo.untilOpen(1)
    }))

  it.effect("ends every connection with a FIN on cut, at both sides, and accepts new ones", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const clients = yield* Effect.all([Client.connect(proxy), Client.connect(proxy)])
      yield* echo.untilOpen(2)
      yield* proxy.cut
      assert.deepStrictEqual(yield* Effect.all(clients.map((client) => client.closed)), ["FIN", "FIN"])
      yield* echo.untilOpen(0)
      assert.strictEqual((yield* proxy.stats).open, 0)
      const next = yield* Client.connect(proxy)
      yield* next.send("on")
      assert.strictEqual(yield* next.read(2), "on")
    }))

  it.effect("ends every connection with a RST on reset, at both sides", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const client = yield* Client.connect(proxy)
      yield* client.send("x")
      yield* client.read(1)
      yield* proxy.reset
      assert.strictEqual(yield* client.closed, "RST")
      yield* echo.untilOpen(0)
      assert.deepStrictEqual(echo.endings(), ["RST"])
    }))

  it.effect("swallows everything in a black hole and delivers it, in order, after restore", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const client = yield* Client.connect(proxy)
      yield* echo.untilOpen(1)
      yield* proxy.blackHole
      yield* client.send("late, ")
      const newcomer = yield* Client.connect(proxy)
      yield* newcomer.send("new")
      yield* TestClock.withLive(Effect.sleep("50 millis"))
      yield* client.send("but there")
      yield* TestClock.withLive(Effect.sleep("50 millis"))
      assert.strictEqual(echo.received(), "")
      assert.strictEqual(echo.open(), 1)
      assert.isFalse(client.isClosed() || newcomer.isClosed())
      yield* proxy.restore
      assert.strictEqual(yield* client.read(15), "late, but there")
      assert.strictEqual(yield* newcomer.read(3), "new")
    }))

  it.effect("stops reading a sender whose bytes it can't deliver, and loses none", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const client = yield* Client.connect(proxy)
      yield* echo.untilOpen(1)
      yield* proxy.blackHole
      const text = "0123456789abcdef".repeat(1 << 21) // 32 MiB, more than the buffers of two sockets
      yield* client.send(text)
      yield* TestClock.withLive(Effect.sleep("300 millis"))
      assert.isAbove(client.unsent(), 0)
      yield* proxy.restore
      assert.isTrue(yield* Effect.map(client.read(text.length), (received) => received === text))
    }))

  it.effect("tells the target nothing of a client that came and went inside a black hole", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      yield* proxy.blackHole
      const client = yield* Client.connect(proxy)
      yield* client.send("never")
      yield* client.destroy
      yield* Client.eventually(Effect.map(proxy.stats, (stats) => stats.accepted === 1 && stats.open === 0))
      yield* proxy.restore
      const next = yield* Client.connect(proxy)
      yield* next.send("x")
      yield* next.read(1)
      assert.strictEqual(echo.received(), "x")
      assert.strictEqual(echo.accepted(), 1)
    }))

  it.effect("refuses new connections while open ones go on, until restore listens on the same port", () =>
    Effect.gen(function*() {
      const { proxy } = yield* setUp
      const client = yield* Client.connect(proxy)
      yield* proxy.refuse
      assert.strictEqual((yield* Effect.flip(Client.connect(proxy))).code, "ECONNREFUSED")
      yield* client.send("still")
      assert.strictEqual(yield* client.read(5), "still")
      yield* proxy.restore
      yield* Client.connect(proxy)
    }))

  it.effect("adds faults up: cut within a black hole ends what was held back for ever", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const client = yield* Client.connect(proxy)
      yield* echo.untilOpen(1)
      yield* proxy.blackHole
      yield* client.send("lost")
      yield* TestClock.withLive(Effect.sleep("30 millis"))
      yield* proxy.cut
      assert.strictEqual(yield* client.closed, "FIN")
      yield* proxy.restore
      yield* echo.untilOpen(0)
      assert.strictEqual(echo.received(), "")
    }))

  it.effect("sends new connections to another target after retarget", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const other = yield* Client.echoServer
      const before = yield* Client.connect(proxy)
      yield* echo.untilOpen(1)
      yield* proxy.retarget(other)
      yield* Client.connect(proxy)
      yield* other.untilOpen(1)
      yield* before.send("x")
      yield* before.read(1)
      assert.strictEqual(echo.received(), "x")
    }))

  it.effect("resets a client whose target can't be reached", () =>
    Effect.gen(function*() {
      const gone = yield* Effect.scoped(Client.echoServer)
      const proxy = yield* FaultProxy.make({ target: gone })
      const client = yield* Client.connect(proxy)
      assert.strictEqual(yield* client.closed, "RST")
    }))

  it.effect("runs a fault of somebody else's making, with state of its own for each connection", () =>
    Effect.gen(function*() {
      const { proxy } = yield* setUp
      yield* proxy.apply({
        name: "cutAfter",
        passage: (connection) => {
          let left = 4
          return ({ bytes }) => {
            left -= bytes
            if (left < 0) connection.cut()
            return 0
          }
        }
      })
      const client = yield* Client.connect(proxy)
      yield* client.send("ab")
      assert.strictEqual(yield* client.read(2), "ab")
      yield* client.send("c")
      assert.strictEqual(yield* client.closed, "FIN")
    }))

  it.effect("closes every connection and its port with the scope", () =>
    Effect.gen(function*() {
      const echo = yield* Client.echoServer
      const scope = yield* Scope.make()
      const proxy = yield* Scope.provide(FaultProxy.make({ target: echo }), scope)
      const client = yield* Client.connect(proxy)
      yield* echo.untilOpen(1)
      yield* Scope.close(scope, Exit.void)
      yield* client.closed
      yield* echo.untilOpen(0)
      assert.strictEqual((yield* Effect.flip(Client.connect(proxy))).code, "ECONNREFUSED")
    }))

  it.effect("does not keep a delayed byte for a proxy that is closed", () =>
    Effect.gen(function*() {
      const echo = yield* Client.echoServer
      yield* Effect.scoped(Effect.gen(function*() {
        const proxy = yield* FaultProxy.make({ target: echo })
        const client = yield* Client.connect(proxy)
        yield* echo.untilOpen(1)
        yield* proxy.delay("1 second")
        yield* client.send("x")
        yield* TestClock.withLive(Effect.sleep("30 millis"))
      }))
      yield* TestClock.adjust("1 second")
      yield* echo.untilOpen(0)
      assert.strictEqual(echo.received(), "")
    }))
})
