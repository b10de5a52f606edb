import { Backends, Metrics } from "@breakwater/core"
import { FaultProxy } from "@breakwater/testing"
import { ConnectionManager } from "@breakwater/websocket"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Metric, Option, Scheduler, Stream } from "effect"
import { createServer } from "node:http"
import * as Net from "node:net"
import { connect, echo, eventually, quiet, serve } from "../utils/peers.ts"

const KIB = 1024

/** The reasons that its events give for the ends of connections, as they come. */
const closings = Effect.fnUntraced(function*({ backend }: ConnectionManager.ConnectionManager) {
  const seen: Array<string> = []
  const listening = Stream.runForEach(
    backend.events,
    (event) => Effect.sync(() => event._tag === "Closed" && seen.push(event.reason))
  )
  yield* Effect.forkScoped(listening, { startImmediately: true })
  return seen
})

/** How many were given up so far, as metrics say. */
const lost = Effect.map(
  Metric.snapshot,
  (shown) =>
    [Metrics.peers.pingTimeout, Metrics.peers.slowReader].map(({ id, labels }) => {
      const of = shown.find((one) =>
        one.id === id &&
        Object.entries(labels ?? {}).every(([key, value]) =>
          new Map(Object.entries(one.attributes ?? {})).get(key) === value
        )
      )
      return of?.type === "Counter" ? of.state.count : undefined
    })
)

const alone = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

it.live("carries messages both ways and knows its connections by id", () =>
  Effect.gen(function*() {
    const served = yield* serve()
    const { manager } = served
    const peer = yield* connect(served)
    peer.ws.send("hello")
    assert.strictEqual(yield* peer.next, "hello")
    const [id = ""] = yield* manager.ids
    yield* manager.send(id, "direct")
    assert.strictEqual(yield* peer.next, "direct")
    assert.isTrue(Option.isSome(yield* manager.get(id)))
    assert.deepStrictEqual(yield* manager.backend.particulars ?? Effect.undefined, { ids: [id] })
    assert.deepStrictEqual(yield* manager.summary, {
      total_connections: 1,
      max_connections: 1000,
      connection_ids: [id]
    })
    assert.isTrue(yield* manager.remove(id, { code: 4000, reason: "enough" }))
    assert.deepStrictEqual(yield* peer.closed, { code: 4000, reason: "enough" })
    assert.isFalse(yield* manager.remove(id))
    const error = yield* Effect.flip(manager.send(id, "late"))
    assert.strictEqual(error.reason._tag, "UnknownConnection")
  }))

it.live("hands over binary messages as bytes and text as strings", () =>
  Effect.gen(function*() {
    const kinds: Array<string> = []
    const served = yield* serve({}, (connection) =>
      Stream.runForEach(Stream.take(connection.messages, 2), (message) =>
        Effect.sync(() => {
          kinds.push(typeof message === "string" ? message : `bytes ${message.join(",")}`)
        })))
    const peer = yield* connect(served)
    peer.ws.send("text")
    peer.ws.send(Uint8Array.of(1, 2, 3))
    assert.strictEqual((yield* peer.closed).code, 1000)
    assert.deepStrictEqual(kinds, ["text", "bytes 1,2,3"])
  }))

it.live("closes with 1011 when the handler fails, and the error reaches the server", () =>
  Effect.gen(function*() {
    const served = yield* serve({}, () => Effect.die(new Error("a bug")))
    const peer = yield* connect(served)
    assert.strictEqual((yield* peer.closed).code, 1011)
    yield* eventually(Effect.map(served.manager.stats, ({ connections }) => connections === 0))
  }))

it.live("closes peers beyond connections.max with 1013 and lets others in once there is room", () =>
  Effect.gen(function*() {
    const served = yield* serve({ connections: { max: 2 } })
    const first = yield* connect(served)
    yield* connect(served)
    const third = yield* connect(served)
    assert.strictEqual((yield* third.closed).code, 1013)
    assert.strictEqual((yield* served.manager.stats).refused, 1)
    first.ws.close()
    yield* eventually(Effect.map(served.manager.stats, ({ connections }) => connections === 1))
    const fourth = yield* connect(served)
    fourth.ws.send("in")
    assert.strictEqual(yield* fourth.next, "in")
  }))

it.live("closes peers beyond connections.maxPerKey with 1008 and counts by key", () =>
  Effect.gen(function*() {
    const served = yield* serve({ connections: { maxPerKey: 1 } })
    yield* connect(served, "alice")
    const second = yield* connect(served, "alice")
    assert.strictEqual((yield* second.closed).code, 1008)
    const bob = yield* connect(served, "bob")
    bob.ws.send("bob")
    assert.strictEqual(yield* bob.next, "bob")
    assert.strictEqual(yield* served.manager.count("alice"), 1)
    assert.strictEqual((yield* served.manager.stats).keys, 2)
  }))

it.live("broadcasts to all, to a key, and to all but one", () =>
  Effect.gen(function*() {
    const served = yield* serve()
    const { manager } = served
    const alice = yield* connect(served, "alice")
    const bob = yield* connect(served, "bob")
    const [first = ""] = yield* manager.ids
    assert.deepStrictEqual(yield* manager.broadcast("all"), { sent: 2, skipped: [] })
    assert.deepStrictEqual(yield* manager.broadcast("bob", { key: "bob" }), { sent: 1, skipped: [] })
    assert.deepStrictEqual(yield* manager.broadcast("rest", { except: first }), { sent: 1, skipped: [] })
    assert.deepStrictEqual([yield* alice.next, yield* bob.next], ["all", "all"])
    assert.deepStrictEqual([yield* bob.next, yield* bob.next], ["bob", "rest"])
  }))

it.live("fails the send to a peer that does not read, and closes it, within send.timeout", () =>
  Effect.gen(function*() {
    const served = yield* serve(
      { send: { buffer: 256 * KIB, timeout: "200 millis" } },
      (connection) => Effect.andThen(connection.closed, Effect.void)
    )
    const { manager } = served
    const seen = yield* closings(manager)
    const slow = yield* connect(served)
    slow.ws.pause()
    const [id = ""] = yield* manager.ids
    const flood = Effect.forever(manager.send(id, "x".repeat(64 * KIB)))
    const error = yield* Effect.flip(flood)
    assert.strictEqual(error.reason._tag, "SlowReader")
    assert.deepStrictEqual(error.outcome, { _tag: "Failure", sent: "no" })
    yield* eventually(Effect.map(manager.stats, ({ connections }) => connections === 0))
    assert.strictEqual((yield* manager.stats).slow, 1)
    assert.strictEqual((yield* manager.stats).waiting, 0)
    yield* eventually(Effect.sync(() => seen.join() === "SlowReader"))
    assert.deepStrictEqual(yield* lost, [0, 1])
  }).pipe(alone))

it.live("refuses sends beyond send.maxWaiting and forgets those that are interrupted", () =>
  Effect.gen(function*() {
    const served = yield* serve(
      { send: { buffer: 64 * KIB, timeout: "10 seconds", maxWaiting: 2 } },
      (connection) => connection.closed
    )
    const { manager } = served
    const slow = yield* connect(served)
    slow.ws.pause()
    const [id = ""] = yield* manager.ids
    const big = "x".repeat(64 * KIB)
    const flood = yield* Effect.forkChild(Effect.forever(manager.send(id, big)))
    yield* eventually(Effect.map(manager.stats, ({ waiting }) => waiting === 1))
    const second = yield* Effect.forkChild(manager.send(id, big))
    yield* eventually(Effect.map(manager.stats, ({ waiting }) => waiting === 2))
    const error = yield* Effect.flip(manager.send(id, big))
    assert.strictEqual(error.reason._tag, "BufferFull")
    yield* Fiber.interrupt(flood)
    yield* Fiber.interrupt(second)
    assert.strictEqual((yield* manager.stats).waiting, 0)
    const tooLarge = yield* Effect.flip(manager.send(id, `${big}x`))
    assert.strictEqual(tooLarge.reason._tag, "MessageTooLarge")
  }))

it.live("never lets a broadcast wait: a peer with a full buffer is closed, or skipped", () =>
  Effect.gen(function*() {
    const served = yield* serve({ send: { buffer: 256 * KIB } }, (connection) => connection.closed)
    const { manager } = served
    const slow = yield* connect(served)
    slow.ws.pause()
    const message = "x".repeat(128 * KIB)
    const full = Effect.map(manager.broadcast(message, { whenFull: "skip" }), ({ skipped }) => skipped.length === 1)
    yield* Effect.repeat(full, { until: (yes) => yes })
    assert.strictEqual((yield* manager.stats).connections, 1)
    const { skipped } = yield* manager.broadcast(message)
    assert.strictEqual(skipped.length, 1)
    yield* eventually(Effect.map(manager.stats, ({ connections, slow: closed }) => connections === 0 && closed === 1))
  }))

it.live("calls a peer that a broadcast closes slow, also where its handler waits to send and so fails", () =>
  Effect.gen(function*() {
    const served = yield* serve(
      { send: { buffer: 256 * KIB } },
      ({ send }) => Effect.forever(send("x".repeat(64 * KIB)))
    )
    const { manager } = served
    const seen = yield* closings(manager)
    const slow = yield* connect(served)
    slow.ws.pause()
    yield* eventually(Effect.map(manager.stats, ({ waiting }) => waiting === 1))
    yield* manager.broadcast("to all")
    yield* eventually(Effect.map(manager.stats, ({ connections }) => connections === 0))
    assert.deepInclude(yield* manager.stats, { slow: 1 })
    yield* eventually(Effect.sync(() => seen.join() === "SlowReader"))
  }))

it.live("tells a peer that it drains, also where its handler waits to send and so fails", () =>
  Effect.gen(function*() {
    const { manager, ...address } = yield* serve({}, ({ send }) => Effect.forever(send("x".repeat(64 * KIB))))
    const slow = yield* connect(address)
    slow.ws.pause()
    yield* eventually(Effect.map(manager.stats, ({ waiting }) => waiting === 1))
    yield* Effect.forkChild(manager.drain("5 seconds"), { startImmediately: true })
    slow.ws.resume()
    assert.deepStrictEqual(yield* slow.closed, { code: 1001, reason: "going away" })
  }))

it.live("closes a peer that has vanished, and keeps one that answers", () =>
  Effect.gen(function*() {
    const served = yield* serve({ heartbeat: { interval: "1 hour", timeout: "300 millis" } }, (connection) =>
      Effect.ignore(echo(connection)))
    const proxy = yield* FaultProxy.make({ target: served })
    const seen = yield* closings(served.manager)
    yield* connect(served)
    yield* connect(proxy)
    const [alive = "", vanished = ""] = yield* served.manager.ids
    yield* proxy.blackHole
    const report = yield* served.manager.healthCheck
    assert.strictEqual(report.checked, 2)
    assert.strictEqual(report.alive, 1)
    assert.deepStrictEqual(report.closed, [vanished])
    yield* eventually(Effect.map(served.manager.ids, (ids) =>
      ids.length === 1 && ids[0] === alive))
    assert.strictEqual((yield* served.manager.stats).dead, 1)
    yield* eventually(Effect.sync(() => seen.join() === "PingTimeout"))
    assert.deepStrictEqual(yield* lost, [1, 0])
  }).pipe(alone))

it.live("pings by itself and notices a reset at once", () =>
  Effect.gen(function*() {
    const served = yield* serve({ heartbeat: { interval: "150 millis", timeout: "100 millis" } })
    const proxy = yield* FaultProxy.make({ target: served })
    const peer = yield* connect(proxy)
    yield* proxy.blackHole
    yield* eventually(Effect.map(served.manager.stats, ({ dead }) => dead === 1))
    assert.strictEqual((yield* served.manager.stats).connections, 0)
    yield* proxy.restore
    peer.ws.terminate()
    yield* connect(proxy)
    yield* eventually(Effect.map(served.manager.stats, ({ connections }) => connections === 1))
    yield* proxy.reset
    yield* eventually(Effect.map(served.manager.stats, ({ connections }) => connections === 0))
  }))

it.live("closes what is idle with 1001, and keeps what is in use", () =>
  Effect.gen(function*() {
    const served = yield* serve({ idleTimeout: "300 millis" })
    const idle = yield* connect(served)
    const busy = yield* connect(served)
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(
      Effect.sync(() => busy.ws.send("busy")),
      Effect.sleep("50 millis")
    )))
    assert.deepStrictEqual(yield* idle.closed, { code: 1001, reason: "idle" })
    yield* eventually(Effect.map(served.manager.stats, (stats) => stats.idle === 1))
    assert.strictEqual((yield* served.manager.stats).connections, 1)
  }))

it.live("reads a flooding peer no faster than its handler, and loses nothing", () =>
  Effect.gen(function*() {
    let handled = 0
    const ready = yield* Latch.make(false)
    const served = yield* serve({ receive: { buffer: 64 * KIB } }, (connection) =>
      Effect.andThen(
        ready.await,
        Stream.runForEach(connection.messages, () => Effect.sync(() => handled++))
      ))
    const peer = yield* connect(served)
    const messages = 1600
    for (let n = 0; n < messages; n++) peer.ws.send("x".repeat(16 * KIB))
    let before = 0
    const settled = Effect.map(served.manager.stats, ({ received }) => {
      const same = received > 0 && received === before
      before = received
      return same
    })
    yield* eventually(Effect.andThen(Effect.sleep("50 millis"), settled))
    assert.isBelow(before, messages / 4)
    yield* ready.open
    yield* eventually(Effect.sync(() => handled === messages))
  }))

it.live("closes with 1009 a peer whose message is larger than receive.maxMessage", () =>
  Effect.gen(function*() {
    const served = yield* serve({ receive: { maxMessage: KIB } }, (connection) => Effect.ignore(echo(connection)))
    const peer = yield* connect(served)
    peer.ws.send("x".repeat(2 * KIB))
    assert.strictEqual((yield* peer.closed).code, 1009)
  }))

it.live("drains with 1001, turns new peers away, and cuts at the deadline who does not answer", () =>
  Effect.gen(function*() {
    const served = yield* serve()
    const proxy = yield* FaultProxy.make({ target: served })
    const polite = yield* connect(served)
    yield* connect(proxy)
    yield* proxy.blackHole
    const drain = yield* Effect.forkChild(served.manager.drain("300 millis"))
    assert.deepStrictEqual(yield* polite.closed, { code: 1001, reason: "going away" })
    const late = yield* connect(served)
    assert.strictEqual((yield* late.closed).code, 1001)
    const report = yield* Fiber.join(drain)
    assert.strictEqual(report.cut.length, 1)
    assert.strictEqual(report.leftOpen, 0)
    assert.deepStrictEqual((yield* served.manager.drain(0)).cut, report.cut)
    assert.strictEqual((yield* served.manager.health).status, "unhealthy")
    assert.strictEqual((yield* served.manager.stats).connections, 0)
  }))

it.live("holds nothing after 1,000 connects and disconnects, half of them without a word", () =>
  Effect.gen(function*() {
    const served = yield* serve()
    const once = (n: number) =>
      Effect.scoped(Effect.gen(function*() {
        const peer = yield* connect(served, `key${n % 7}`)
        peer.ws.send("hello")
        yield* peer.next
        if (n % 2 === 0) peer.ws.close()
        else peer.ws.terminate()
        yield* peer.closed
      }))
    yield* Effect.forEach(Array(1000).keys(), once, { concurrency: 20, discard: true })
    yield* eventually(Effect.map(served.manager.stats, ({ connections }) => connections === 0))
    const stats = yield* served.manager.stats
    assert.deepInclude(stats, { opened: 1000, closed: 1000, keys: 0, waiting: 0 })
    assert.deepInclude(yield* served.manager.backend.stats, { used: 0, opened: 1000, closed: 1000 })
  }))

it.live("answers a request that is no handshake, and stays well", () =>
  Effect.gen(function*() {
    const served = yield* serve()
    const status = yield* Effect.promise(() => fetch(`http://127.0.0.1:${served.port}/`).then((r) => r.status))
    assert.strictEqual(status, 500)
    const peer = yield* connect(served)
    peer.ws.send("still here")
    assert.strictEqual(yield* peer.next, "still here")
  }))

it.live("tells in its events whether a connection was ended by its peer or was idle", () =>
  Effect.gen(function*() {
    const { manager, ...address } = yield* serve({ idleTimeout: "100 millis" })
    const seen = yield* closings(manager)
    const leaving = yield* connect(address)
    leaving.ws.close()
    yield* leaving.closed
    yield* eventually(Effect.sync(() => seen.length === 1))
    yield* connect(address)
    yield* eventually(Effect.sync(() => seen.length === 2))
    assert.deepStrictEqual(seen, ["PeerClosed", "Idle"])
  }))

/** A handshake and what comes with it, in one packet. */
const hasty = (frame: ReadonlyArray<number>) =>
  Buffer.concat([
    Buffer.from(
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ),
    Buffer.from(frame)
  ])

const FIRST_FRAMES: ReadonlyArray<readonly [string, ReadonlyArray<number>, Array<string>]> = [
  ["a message, which is not lost", [0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69], ["hi"]],
  ["a frame that is not allowed, which closes it", [0x81, 0x02, 0x68, 0x69], []]
]

it.live.each(FIRST_FRAMES)("reads a peer only when it is registered, however often its fiber yields: %s", (
  [, frame, expected]
) =>
  Effect.gen(function*() {
    const manager = yield* Backends.isolated(ConnectionManager.make({ name: "feed" }))
    const context = yield* Effect.context()
    const received: Array<ConnectionManager.Message> = []
    const server = createServer().listen(0, "127.0.0.1")
    yield* Effect.addFinalizer(() => Effect.sync(() => void server.close()))
    yield* Effect.callback<void>((resume) => void server.once("listening", () => resume(Effect.void)))
    server.on("upgrade", (request, socket, head) => {
      const accepted = Effect.flatMap(manager.accept({ request, socket, head }), (connection) =>
        Stream.runForEach(connection.messages, (message) =>
          Effect.sync(() => {
            received.push(message)
            socket.destroy()
          })))
      Effect.runForkWith(context)(Effect.provideService(accepted, Scheduler.MaxOpsBeforeYield, 4))
    })
    const address = server.address()
    const peer = Net.connect(address !== null && typeof address === "object" ? address.port : 0, "127.0.0.1")
    peer.on("error", () => {}).resume().write(hasty(frame))
    yield* eventually(Effect.sync(() =>
      peer.closed
    ))
    yield* eventually(Effect.map(manager.stats, ({ closed }) => closed === 1))
    assert.deepStrictEqual(received, expected)
  }).pipe(Effect.scoped, quiet))
