import { FaultProxy } from "@breakwater/testing"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Schedule, Scheduler, Stream } from "effect"
import { createServer } from "node:http"
import { next, open, until } from "../utils/client.ts"
import { echo, eventually, serve } from "../utils/peers.ts"

it.live("sends and receives, and ends politely with its scope", () =>
  Effect.gen(function*() {
    const codes: Array<number> = []
    const served = yield* serve({}, (connection) =>
      Effect.andThen(
        echo(connection),
        Effect.map(connection.closed, ({ code }) => codes.push(code))
      ))
    yield* Effect.scoped(Effect.gen(function*() {
      const socket = yield* open(served)
      yield* socket.send("early")
      yield* socket.awaitOpen("5 seconds")
      yield* socket.send("late")
      assert.deepStrictEqual(yield* next(socket, 2), ["early", "late"])
      assert.strictEqual((yield* socket.health).status, "healthy")
    }))
    yield* eventually(Effect.sync(() => codes.length === 1))
    assert.deepStrictEqual(codes, [1000])
    assert.strictEqual((yield* served.manager.stats).connections, 0)
  }))

it.live("works again after every connection was cut, greets each time, and then sends what has waited", () =>
  Effect.gen(function*() {
    const seen: Array<string> = []
    const served = yield* serve(
      {},
      (connection) =>
        Effect.ignore(
          Stream.runForEach(connection.messages, (message) => Effect.sync(() => seen.push(String(message))))
        )
    )
    const proxy = yield* FaultProxy.make({ target: served })
    const socket = yield* open(proxy, { onOpen: (session) => session.send(`subscribe ${session.connection}`) })
    yield* eventually(Effect.sync(() => seen.length === 1))
    yield* proxy.refuse
    yield* proxy.reset
    yield* until(socket, "Waiting")
    assert.strictEqual((yield* socket.health).status, "unhealthy")
    yield* socket.send("queued")
    yield* proxy.restore
    yield* eventually(Effect.sync(() => seen.length === 3))
    assert.deepStrictEqual(seen, ["subscribe 1", "subscribe 2", "queued"])
  }))

it.live("finds out by itself that the server is gone without a word", () =>
  Effect.gen(function*() {
    const served = yield* serve()
    const proxy = yield* FaultProxy.make({ target: served })
    const socket = yield* open(proxy, { heartbeat: { interval: "150 millis", timeout: "100 millis" } })
    yield* socket.awaitOpen("5 seconds")
    yield* proxy.blackHole
    const waiting = yield* until(socket, "Waiting")
    assert.include(waiting.cause.reason, { _tag: "ConnectionClosed", why: "Dead" })
    yield* proxy.cut
    yield* proxy.restore
    yield* socket.awaitOpen("5 seconds")
  }))

it.live("bounds a handshake that the server never answers", () =>
  Effect.gen(function*() {
    const served = yield* serve()
    const proxy = yield* FaultProxy.make({ target: served })
    yield* proxy.blackHole
    const socket = yield* open(proxy, { handshake: { timeout: "100 millis" } })
    yield* until(socket, "Waiting")
    const error = yield* Effect.flip(socket.awaitOpen("50 millis"))
    assert.deepStrictEqual(error.outcome, { _tag: "Failure", sent: "no" })
  }))

it.live("stops on 1008 and on 1000, and says so to senders, readers and listeners", () =>
  Effect.gen(function*() {
    for (const code of [1008, 1000]) {
      const served = yield* serve({}, (connection) => connection.close({ code }))
      const socket = yield* open(served)
      const error = yield* Effect.flip(Stream.runDrain(socket.messages))
      assert.strictEqual(error.reason._tag, "GivenUp")
      assert.strictEqual((yield* Effect.flip(socket.send("late"))).reason._tag, "GivenUp")
      assert.strictEqual((yield* Effect.flip(socket.awaitOpen("1 second"))).reason._tag, "GivenUp")
      assert.strictEqual((yield* socket.state)._tag, "Closed")
      assert.strictEqual((yield* socket.stats).dials, 1)
    }
  }))

it.live("waits longer after 1013, and comes back after 1001", () =>
  Effect.gen(function*() {
    const codes = [1013, 1001]
    const served = yield* serve({}, (connection) => {
      const code = codes.shift()
      return code === undefined ? echo(connection) : connection.close({ code })
    })
    const socket = yield* open(served)
    const waits = yield* socket.states.pipe(
      Stream.filter((state) => state._tag === "Waiting"),
      Stream.take(2),
      Stream.runCollect
    )
    assert.deepStrictEqual(waits.map(({ retryIn }) => Duration.toMillis(retryIn)), [110, 10])
    yield* socket.send("back")
    assert.deepStrictEqual(yield* next(socket), ["back"])
  }))

it.live("understands a handshake that is refused: 401 ends it, 503 names the time", () =>
  Effect.gen(function*() {
    const statuses = [503, 401]
    const server = yield* Effect.acquireRelease(
      Effect.callback<{ readonly host: string; readonly port: number; readonly close: () => void }>((resume) => {
        const http = createServer((_, response) => {
          response.writeHead(statuses.shift() ?? 500, { "retry-after": "1" }).end()
        })
        http.listen(0, "127.0.0.1", () => {
          const address = http.address()
          const port = address !== null && typeof address === "object" ? address.port : 0
          resume(Effect.succeed({ host: "127.0.0.1", port, close: () => http.close() }))
        })
      }),
      ({ close }) => Effect.sync(close)
    )
    const socket = yield* open(server)
    const waiting = yield* until(socket, "Waiting")
    assert.deepStrictEqual(waiting.retryIn, Duration.millis(1010))
    const error = yield* Effect.flip(Stream.runDrain(socket.messages))
    assert.strictEqual(error.reason._tag, "GivenUp")
    assert.strictEqual((yield* socket.stats).dials, 2)
  }))

it.live("stays within its budget through a storm of connections that end at once", () =>
  Effect.gen(function*() {
    const served = yield* serve({}, (connection) => connection.close({ code: 1011 }))
    const sockets = yield* Effect.forEach(
      Array(20).keys(),
      () => open(served, { reconnect: { schedule: Schedule.spaced(1), budget: { dials: 3, per: "1 hour" } } })
    )
    const spent = Effect.forEach(sockets, (socket) =>
      Effect.map(socket.state, (state) => state._tag === "Waiting" && state.attempt === 4))
    yield* eventually(Effect.map(spent, (all) =>
      all.every(Boolean)))
    assert.strictEqual((yield* served.manager.stats).opened, 60)
  }))

it.live("ends when its schedule does", () =>
  Effect.gen(function*() {
    const served = yield* serve()
    const proxy = yield* FaultProxy.make({ target: served })
    yield* proxy.refuse
    const socket = yield* open(proxy, { reconnect: { schedule: Schedule.recurs(2) } })
    const error = yield* Effect.flip(Stream.runDrain(socket.messages))
    assert.include(error.reason, { _tag: "GivenUp", why: "Schedule" })
    assert.strictEqual((yield* socket.stats).dials, 3)
  }))

it.live("refuses what the outbox has no room for, or drops the oldest", () =>
  Effect.gen(function*() {
    const served = yield* serve()
    const proxy = yield* FaultProxy.make({ target: served })
    yield* proxy.refuse
    const fails = yield* open(proxy, { outbox: { messages: 2 } })
    yield* fails.send("a")
    yield* fails.send("b")
    assert.include((yield* Effect.flip(fails.send("c"))).reason, { _tag: "BufferFull", limit: 2, unit: "messages" })
    const drops = yield* open(proxy, { outbox: { bytes: 2, whenFull: "drop-oldest" } })
    yield* Effect.forEach(["a", "b", "c"], drops.send)
    assert.include(yield* drops.stats, { waiting: 2, dropped: 1 })
    assert.strictEqual((yield* Effect.flip(drops.send("large"))).reason._tag, "MessageTooLarge")
    yield* proxy.restore
    assert.deepStrictEqual(yield* next(fails, 2), ["a", "b"])
    assert.deepStrictEqual(yield* next(drops, 2), ["b", "c"])
  }))

it.live("does not lose what a server sends with its answer to the handshake", () =>
  Effect.gen(function*() {
    const served = yield* serve({}, (connection) =>
      Effect.andThen(Effect.andThen(connection.send("first"), connection.send("second")), connection.closed))
    yield* Effect.forEach(Array(20).keys(), () =>
      Effect.scoped(Effect.gen(function*() {
        const socket = yield* open(served)
        assert.deepStrictEqual(yield* next(socket, 2), ["first", "second"])
      })), { discard: true })
  }))

it.live("hears why a dial failed, however often its fiber yields", () =>
  Effect.gen(function*() {
    const served = yield* serve()
    const proxy = yield* FaultProxy.make({ target: served })
    yield* proxy.refuse
    const socket = yield* Effect.provideService(open(proxy), Scheduler.MaxOpsBeforeYield, 4)
    const { cause: { reason } } = yield* until(socket, "Waiting")
    assert.match(reason._tag === "ConnectFailed" ? String(reason.cause) : reason._tag, /ECONNREFUSED/)
  }))
