import { Fault, FaultProxy } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Client from "../utils/client.ts"

const setUp = Effect.gen(function*() {
  const echo = yield* Client.echoServer
  const proxy = yield* FaultProxy.make({ target: echo })
  return { echo, proxy }
})

/** Long enough in real time for bytes to arrive that nothing holds back. */
const settle = TestClock.withLive(Effect.sleep("50 millis"))

/** How long the first packet that a client sends is held back, in milliseconds. */
const firstHold = (fault: Fault.Fault) => {
  const passage = fault.passage?.({ index: 0, now: () => 0, cut: () => {}, reset: () => {}, end: () => {} })
  return typeof passage === "function" ? passage({ direction: "up", kind: "data", bytes: 1 }) : 0
}

describe("Fault.jitter", () => {
  it.effect("holds a packet back for the time that its seed draws", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const client = yield* Client.connect(proxy)
      yield* echo.untilOpen(1)
      const seed = yield* proxy.jitter("10 seconds")
      const held = firstHold(Fault.jitter("10 seconds", seed))
      yield* client.send("x")
      yield* settle
      yield* TestClock.adjust(Math.floor(held) - 1)
      yield* settle
      assert.strictEqual(echo.received(), "")
      yield* TestClock.adjust(2)
      yield* echo.untilReceived("x")
    }))

  it.effect("takes the seed of a run that is to be done again", () =>
    Effect.gen(function*() {
      const { proxy } = yield* setUp
      assert.strictEqual(yield* proxy.jitter("1 second", "as before"), "as before")
    }))
})

describe("Fault.bandwidth", () => {
  it.effect("lets no more bytes through than the line takes, and they trickle", () =>
    Effect.gen(function*() {
      const { proxy } = yield* setUp
      const client = yield* Client.connect(proxy)
      yield* proxy.apply(Fault.only("down", Fault.bandwidth(1024)))
      const text = "0123456789abcdef".repeat(128) // 2 KiB
      yield* client.send(text)
      yield* settle
      assert.strictEqual(client.received(), "")
      yield* TestClock.adjust("1 second")
      yield* Client.eventually(Effect.sync(() => client.received().length >= 768))
      yield* settle
      assert.isAtMost(client.received().length, 1024)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* client.read(text.length), text)
    }))

  it.effect("makes a client wait for its bytes, in real time", () =>
    Effect.gen(function*() {
      const now = TestClock.withLive(Clock.currentTimeMillis)
      const { proxy } = yield* TestClock.withLive(setUp)
      const client = yield* Client.connect(proxy)
      yield* proxy.apply(Fault.only("up", Fault.bandwidth(32 * 1024)))
      const text = "0123456789abcdef".repeat(1024) // 16 KiB
      const before = yield* now
      yield* client.send(text)
      assert.strictEqual(yield* client.read(text.length), text)
      assert.isAtLeast((yield* now) - before, 450)
    }))
})

describe("Fault.cutAfter", () => {
  it.effect("ends a connection in the middle of an answer, after exactly so many bytes", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      yield* proxy.apply(Fault.only("down", Fault.cutAfter(6)))
      const client = yield* Client.connect(proxy)
      yield* client.send("0123456789")
      assert.strictEqual(yield* client.closed, "FIN")
      assert.strictEqual(client.received(), "012345")
      yield* echo.untilOpen(0)
      assert.strictEqual(echo.received(), "0123456789")
    }))

  it.effect("ends a connection in the middle of a request, and another one by itself", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      yield* proxy.apply(Fault.cutAfter(4))
      const client = yield* Client.connect(proxy)
      const other = yield* Client.connect(proxy)
      yield* client.send("abc")
      assert.strictEqual(yield* client.read(3), "abc")
      yield* client.send("def")
      assert.strictEqual(yield* client.closed, "FIN")
      yield* echo.untilReceived("abcd")
      assert.isFalse(other.isClosed())
    }))

  it.effect("counts what was handed on while another fault holds it back", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const client = yield* Client.connect(proxy)
      yield* echo.untilOpen(1)
      yield* proxy.delay("1 second")
      yield* proxy.apply(Fault.cutAfter(4))
      yield* client.send("abc")
      yield* settle
      yield* client.send("def")
      yield* settle
      assert.isFalse(client.isClosed())
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* client.closed, "FIN")
      yield* echo.untilReceived("abcd")
    }))

  it.effect("lets everything pass again after restore", () =>
    Effect.gen(function*() {
      const { proxy } = yield* setUp
      yield* proxy.apply(Fault.cutAfter(4))
      const client = yield* Client.connect(proxy)
      yield* client.send("abc")
      yield* client.read(3)
      yield* proxy.restore
      yield* client.send("defghi")
      assert.strictEqual(yield* client.read(9), "abcdefghi")
    }))
})

describe("Fault.halfClose", () => {
  it.effect("down: lets the client read an end while the target still hears it", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const client = yield* Client.connect(proxy, { allowHalfOpen: true })
      yield* client.send("before, ")
      yield* client.read(8)
      yield* proxy.apply(Fault.halfClose("down"))
      yield* client.ended
      yield* client.send("after")
      yield* echo.untilReceived("before, after")
      assert.isFalse(client.isClosed())
      assert.strictEqual(client.received(), "before, ")
      yield* client.end
      yield* echo.untilOpen(0)
    }))

  it.effect("up: lets the target read an end, behind what was sent, while its answer still comes", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const client = yield* Client.connect(proxy)
      yield* echo.untilOpen(1)
      yield* proxy.delay("1 second")
      yield* client.send("abc")
      yield* settle
      yield* proxy.apply(Fault.halfClose("up"))
      yield* TestClock.adjust("1 second")
      yield* echo.untilReceived("abc")
      yield* settle
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* client.closed, "FIN")
      assert.strictEqual(client.received(), "abc")
    }))
})

describe("Fault.forget", () => {
  it.effect("resets what was open once something is sent on it, and nothing that comes later", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      const before = yield* Client.connect(proxy)
      yield* echo.untilOpen(1)
      yield* proxy.apply(Fault.forget)
      yield* settle
      assert.isFalse(before.isClosed())
      const after = yield* Client.connect(proxy)
      yield* after.send("after")
      assert.strictEqual(yield* after.read(5), "after")
      yield* before.send("before")
      assert.strictEqual(yield* before.closed, "RST")
      assert.strictEqual(echo.received(), "after")
    }))
})

describe("Fault.slowClose", () => {
  it.effect("lets the target hear late of a client that has gone, while bytes pass as ever", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      yield* proxy.apply(Fault.slowClose("1 second"))
      const client = yield* Client.connect(proxy)
      yield* client.send("x")
      assert.strictEqual(yield* client.read(1), "x")
      yield* client.end
      yield* Client.eventually(Effect.map(proxy.stats, ({ open }) => open === 0))
      yield* TestClock.adjust("999 millis")
      yield* settle
      assert.strictEqual(echo.open(), 1)
      yield* TestClock.adjust("1 millis")
      yield* echo.untilOpen(0)
    }))
})

describe("Fault.only", () => {
  it.effect("makes a black hole that swallows answers and no requests", () =>
    Effect.gen(function*() {
      const { echo, proxy } = yield* setUp
      yield* proxy.apply(Fault.only("down", Fault.blackHole))
      const client = yield* Client.connect(proxy)
      yield* client.send("asked")
      yield* echo.untilReceived("asked")
      yield* settle
      assert.strictEqual(client.received(), "")
      yield* proxy.restore
      assert.strictEqual(yield* client.read(5), "asked")
    }))
})
