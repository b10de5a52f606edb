/** A pool over real sockets, through the proxy whose network fails: what virtual time cannot tell. */
import * as Pool from "@breakwater/core/Pool"
import { Fault, FaultProxy } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Fiber, Result } from "effect"
import * as Client from "../utils/client.ts"

class Lost extends Data.TaggedError("Lost") {}

/** One echoed byte at a time; an answer that does not come is somebody else's to time out. */
const connect = (address: FaultProxy.Address) =>
  Effect.gen(function*() {
    const client = yield* Client.connect(address)
    let asked = 0
    const ask = Effect.suspend(() => {
      asked++
      return client.send(".")
    }).pipe(
      Effect.andThen(Client.eventually(Effect.sync(() => client.isClosed() || client.received().length >= asked))),
      Effect.andThen(Effect.suspend(() => client.isClosed() ? Effect.fail(new Lost()) : Effect.void))
    )
    yield* ask
    return { ask, isClosed: client.isClosed }
  })

type Connection = Effect.Success<ReturnType<typeof connect>>

const setUp = (size: { readonly min?: number; readonly max: number }) =>
  Effect.gen(function*() {
    const echo = yield* Client.echoServer
    const proxy = yield* FaultProxy.make({ target: echo })
    const pool = yield* Pool.make({
      name: "p",
      acquire: connect(proxy),
      size,
      wait: { timeout: "5 seconds" },
      dial: { timeout: "500 millis" },
      check: {
        test: (connection: Connection) => connection.ask,
        isAlive: (connection: Connection) => !connection.isClosed(),
        skipWithin: 0,
        timeout: "300 millis"
      }
    })
    return { echo, pool, proxy }
  })

const use = (pool: Pool.Pool<Connection>) => Pool.use(pool, (connection) => connection.ask)

/** Those that are open fall silent, and nobody is told; those to come are well. */
const silence = Effect.sync((): Fault.Fault => {
  let struck = false
  return {
    name: "silence",
    strike: () => (struck = true),
    passage: () => struck ? () => 0 : () => Infinity
  }
})

describe("a pool whose network fails", () => {
  const deaths = { reset: Effect.succeed(Fault.reset), closed: Effect.succeed(Fault.cut), "silently dropped": silence }
  for (const [name, death] of Object.entries(deaths)) {
    it.live(`serves the next hundred borrows after every idle connection was ${name}`, () =>
      Effect.gen(function*() {
        const { echo, pool, proxy } = yield* setUp({ min: 5, max: 5 })
        yield* Client.eventually(Effect.map(Pool.stats(pool), ({ idle }) => idle === 5))
        yield* proxy.apply(yield* death)
        const borrows = yield* Effect.forEach(Array.from({ length: 100 }), () =>
          Effect.forkChild(Effect.result(use(pool))))
        const results = yield* Fiber.joinAll(borrows)
        assert.deepStrictEqual(results.filter(Result.isFailure), [])
        yield* Pool.drain(pool, "1 second")
        yield* proxy.restore
        yield* echo.untilOpen(0)
      }))
  }

  it.live("tells everybody the cause when what accepts hangs up, and serves once there is somebody behind it", () =>
    Effect.gen(function*() {
      const { echo, pool, proxy } = yield* setUp({ max: 5 })
      yield* proxy.retarget({ host: "127.0.0.1", port: 1 }) // where nobody listens
      const borrows = yield* Effect.forEach(Array.from({ length: 50 }), () => Effect.forkChild(Effect.flip(use(pool))))
      for (const error of yield* Fiber.joinAll(borrows)) {
        assert.isTrue(error._tag === "PoolError" && error.reason._tag === "Unavailable")
        assert.instanceOf(error.cause, Lost)
      }
      yield* proxy.retarget(echo)
      yield* Client.eventually(Effect.map(Effect.result(use(pool)), Result.isSuccess))
      yield* Pool.drain(pool, "1 second")
      yield* echo.untilOpen(0)
    }))

  it.live("leaves no socket of dials that were swallowed, and serves when the network is back", () =>
    Effect.gen(function*() {
      const { echo, pool, proxy } = yield* setUp({ max: 5 })
      yield* proxy.blackHole
      const failed = yield* Effect.flip(use(pool))
      assert.isTrue(failed._tag === "PoolError" && failed.reason._tag === "Unavailable")
      assert.include(String(failed.cause), "No connection within 500ms")
      yield* proxy.restore
      yield* Client.eventually(Effect.map(Effect.result(use(pool)), Result.isSuccess))
      const { idle } = yield* Pool.stats(pool)
      yield* Client.eventually(Effect.map(proxy.stats, ({ open }) => open === idle))
      yield* Pool.drain(pool, "1 second")
      yield* echo.untilOpen(0)
    }))

  it.live("cuts at the deadline of a drain what will never be answered", () =>
    Effect.gen(function*() {
      const { echo, pool, proxy } = yield* setUp({ max: 2 })
      const swallowed = Pool.use(pool, (connection) => Effect.andThen(proxy.blackHole, connection.ask))
      const borrow = yield* Effect.forkChild(Effect.flip(swallowed))
      yield* Client.eventually(Effect.map(Pool.stats(pool), ({ used }) => used === 1))
      const report = yield* Pool.drain(pool, "100 millis")
      assert.deepStrictEqual([report.cut.length, report.leftOpen], [1, 0])
      const error = yield* Fiber.join(borrow)
      assert.isTrue(error._tag === "PoolError" && error.reason._tag === "Revoked")
      yield* proxy.restore
      yield* echo.untilOpen(0)
    }))
})
