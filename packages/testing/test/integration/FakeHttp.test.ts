import { FakeHttp } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Client from "../utils/client.ts"

const GET = "GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-Name: v\r\n\r\n"

/** The server sets its next timer once the bytes before it are written, which no clock of a test tells. */
const secondsUntil = (holds: () => boolean) =>
  Effect.gen(function*() {
    while (!holds()) {
      yield* TestClock.adjust("1 second")
      yield* TestClock.withLive(Effect.sleep("5 millis"))
    }
  })

describe("FakeHttp", () => {
  it.effect("answers requests in turn on one connection, and keeps what came", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(FakeHttp.inTurn({ body: "one" }, { status: 404, headers: { "x-a": "b" } }))
      const client = yield* Client.connect(server)
      yield* client.send(GET + "POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody")
      const expected = "HTTP/1.1 200 Fake\r\ncontent-length: 3\r\n\r\none" +
        "HTTP/1.1 404 Fake\r\ncontent-length: 0\r\nx-a: b\r\n\r\n"
      assert.strictEqual(yield* client.read(expected.length), expected)
      const [first, second] = yield* server.requests
      assert.deepStrictEqual(first, {
        method: "GET",
        path: "/a?b=c",
        headers: { host: "x", "x-name": "v" },
        body: "",
        index: 0
      })
      assert.strictEqual(second?.body, "body")
      assert.deepStrictEqual(yield* server.stats, { open: 1, peak: 1, accepted: 1, requests: 2 })
    }))

  it.effect("reads a chunked request to its end", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make((request) => ({ body: request.body }))
      const client = yield* Client.connect(server)
      yield* client.send("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n")
      yield* client.send("0\r\n\r\n")
      yield* Client.eventually(Effect.sync(() => client.received().endsWith("\r\n\r\nabcde")))
    }))

  it.effect("holds back headers and pieces of a body for as long as it is told", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({
        body: "abcd",
        pieces: 2,
        headersAfter: "1 second",
        pieceAfter: "1 second"
      }))
      const client = yield* Client.connect(server)
      yield* client.send(GET)
      yield* Client.eventually(Effect.map(server.stats, ({ requests }) => requests === 1))
      assert.strictEqual(client.received(), "")
      for (const end of ["\r\n\r\n", "ab", "abcd"]) yield* secondsUntil(() => client.received().endsWith(end))
    }))

  it.effect("resets a connection in the middle of a body", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ body: "abcd", resetAfter: 2 }))
      const client = yield* Client.connect(server)
      yield* client.send(GET)
      assert.strictEqual(yield* client.closed, "RST")
      assert.include(["ab", ""], client.received().split("\r\n\r\n")[1] ?? "")
    }))

  it.effect("refuses while it is killed, and comes back on the same port", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const client = yield* Client.connect(server)
      yield* Client.eventually(Effect.map(server.stats, ({ open }) => open === 1))
      yield* server.kill
      assert.strictEqual(yield* client.closed, "RST")
      const refused = yield* Effect.flip(Client.connect(server))
      assert.strictEqual(refused.code, "ECONNREFUSED")
      yield* server.restore
      yield* Client.connect(server)
      yield* Client.eventually(Effect.map(server.stats, ({ open }) => open === 1))
    }))
})
