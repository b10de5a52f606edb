import { CloseCode, ConnectionManager, ReconnectingSocket } from "@breakwater/websocket"
import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { resolve } from "../src/internal/settings.ts"

const url = Redacted.make("ws://localhost/")

it("has the defaults of the guides", () => {
  assert.deepInclude(resolve({ name: "feed" }), {
    max: 1000,
    interval: 60_000,
    answer: 10_000,
    idle: 300_000,
    critical: true,
    warnings: []
  })
})

it("refuses options that are out of range by the call, and names them", () => {
  const manager = (options: Partial<ConnectionManager.Options>) => () =>
    ConnectionManager.make({ name: "feed", ...options })
  const socket = (options: Partial<ReconnectingSocket.Options>) => () =>
    ReconnectingSocket.make({ name: "client", url, ...options })
  assert.throws(manager({ name: "" }), RangeError, "name")
  assert.throws(manager({ connections: { max: 0 } }), RangeError, "Option \"connections.max\" is 0; allowed is")
  assert.throws(manager({ connections: { maxPerKey: 1.5 } }), RangeError, "connections.maxPerKey")
  assert.throws(manager({ heartbeat: { interval: 1000, timeout: 1000 } }), RangeError, "heartbeat.timeout")
  assert.throws(manager({ idleTimeout: 0 }), RangeError, "idleTimeout")
  assert.throws(manager({ send: { timeout: Infinity } }), RangeError, "send.timeout")
  assert.throws(manager({ receive: { buffer: -1 } }), RangeError, "receive.buffer")
  assert.throws(socket({ handshake: { timeout: 0 } }), RangeError, "handshake.timeout")
  assert.throws(socket({ handshake: { protocols: ["a b"] } }), RangeError, "\"handshake.protocols\" is \"a b\"")
  assert.throws(socket({ handshake: { headers: { "a b": "c" } } }), RangeError, "\"handshake.headers\" is \"a b\"")
  const header = "\"handshake.headers.authorization\" is \"<redacted>\"; allowed is Latin-1"
  for (const authorization of ["a\nb", Redacted.make("a\nb")]) {
    assert.throws(socket({ handshake: { headers: { authorization } } }), RangeError, header)
  }
  assert.throws(socket({ reconnect: { budget: { dials: 0, per: 1 } } }), RangeError, "reconnect.budget.dials")
  assert.throws(socket({ outbox: { messages: 0 } }), RangeError, "outbox.messages")
})

it("warns of many connections, and of a heartbeat that the idle timeout makes useless", () => {
  assert.lengthOf(resolve({ name: "feed", connections: { max: 20_000 } }).warnings, 1)
  assert.lengthOf(resolve({ name: "feed", heartbeat: { interval: "10 minutes" } }).warnings, 1)
})

it.effect("refuses a URL that is none, of another protocol, with a fragment or an @ in the path, as ConfigError", () =>
  Effect.forEach(
    ["nothing", "http://localhost", "ws://localhost/#part", "ws://s3cret/rest@localhost/"],
    (text) =>
      Effect.gen(function*() {
        const made = ReconnectingSocket.make({ name: "client", url: Redacted.make(text) })
        const error = yield* Effect.flip(Effect.scoped(made))
        assert.strictEqual(error._tag, "ConfigError")
        assert.notInclude(String(error), text)
        assert.notInclude(String(error), "s3cret")
      })
  ))

it("knows which closes a new connection may cure", () => {
  assert.deepStrictEqual([1000, 1002, 1003, 1007, 1008, 1009, 3000].map(CloseCode.reaction), Array(7).fill("stop"))
  assert.deepStrictEqual([1001, 1005, 1006, 1011, 1012, 4000].map(CloseCode.reaction), Array(6).fill("retry"))
  assert.strictEqual(CloseCode.reaction(1013), "later")
  assert.deepStrictEqual([401, 404, 500, 408, 429, 503].map(CloseCode.reactionToStatus), [
    "stop",
    "stop",
    "retry",
    "retry",
    "later",
    "later"
  ])
  assert.deepStrictEqual([999, 1004, 1005, 1006, 1015, 5000].map(CloseCode.isSendable), Array(6).fill(false))
})
