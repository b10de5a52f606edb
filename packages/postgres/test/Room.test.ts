/** What the server's own limit says of the size of the pool, told with the first session. */
import type { Postgres } from "@breakwater/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Redacted, Result } from "effect"
import { TestClock } from "effect/testing"
import { Room } from "../src/internal/room.ts"
import type { Session } from "../src/internal/session.ts"
import { resolve } from "../src/internal/settings.ts"
import * as Url from "../src/internal/url.ts"

interface Told {
  readonly server: unknown
  readonly asked: number
  readonly lines: ReadonlyArray<ReturnType<typeof Logger.formatStructured.log>>
}

/** What is written when the sessions of a pool open and the server answers so. */
const told = (answer: Effect.Effect<ReadonlyArray<unknown>>, options: Partial<Postgres.Options>, parameters = "") =>
  Effect.gen(function*() {
    const lines: Array<ReturnType<typeof Logger.formatStructured.log>> = []
    const logger = Logger.make<unknown, void>((entry) => void lines.push(Logger.formatStructured.log(entry)))
    const url = Redacted.make(`postgres://app@db/shop${parameters}`)
    const room = new Room(resolve({ name: "orders", url, ...options }, Result.getOrThrow(Url.parse(url))))
    let asked = 0
    const queryValues = () =>
      Effect.suspend(() => {
        asked++
        return Effect.map(answer, (row) => [row])
      })
    // Nothing else of a session is used.
    const session = { pg: { queryValues } } as unknown as Session
    yield* Effect.scoped(Effect.gen(function*() {
      yield* room.look(session)
      yield* room.look(session)
      yield* TestClock.adjust("2 seconds")
    })).pipe(Effect.provide(Logger.layer([logger])))
    const result: Told = { asked, lines, server: room.situation.server }
    return result
  })

const server = Effect.succeed([100, 3])
const size = (max: number) => ({ pool: { size: { max } } })

describe("The server's room", () => {
  it.effect("is asked for once, and said nothing of where the pool fits", () =>
    Effect.gen(function*() {
      const known = { maxConnections: 100, reserved: 3, pooler: false }
      assert.deepStrictEqual(yield* told(server, { ...size(20), replicas: 2 }), { asked: 1, lines: [], server: known })
    }))

  it.effect("is a warning where all replicas together exceed it, with the size that fits and why", () =>
    Effect.gen(function*() {
      const { lines: [line, ...others] } = yield* told(server, { ...size(50), replicas: 4 })
      assert.deepStrictEqual(others, [])
      assert.strictEqual(line?.level, "WARN")
      const room =
        "postgres \"orders\": pool.size.max is 50 in each of 4 replicas, 200 together, and the server has room"
      assert.strictEqual(
        String(line?.message).replace(/ reasons=.*/, ""),
        `${room} for 97 connections of all its clients: replicas=4 server_max_connections=100 advised_max=24 advised_server_max_connections=400 advised_pooler=recommended`
      )
      const reasons = ` reasons="50 x 4 processes = 200 connections, and the server takes 100, 3 of them reserved; `
      assert.include(line?.message, reasons)
      assert.include(line?.message, "the pool has 50, and 24 are what the server leaves to each process")
      assert.match(String(line?.message), / sources="[^"]*guide, pods and microservices[^"]*"$/)
      assert.deepStrictEqual(line?.annotations, {})
    }))

  it.effect("is a warning where it is too small even for one connection of each replica", () =>
    Effect.gen(function*() {
      const { lines: [line, ...others] } = yield* told(server, { ...size(1), replicas: 200 })
      assert.deepStrictEqual(others, [])
      assert.strictEqual(line?.level, "WARN")
      assert.match(
        String(line?.message),
        /pool\.size\.max is 1 in each of 200 replicas, 200 together, and the server has/
      )
    }))

  it.effect("says that a pooler is in order where there is none", () =>
    Effect.gen(function*() {
      const { lines: [line, ...others] } = yield* told(Effect.succeed([500, 3]), { ...size(30), replicas: 2 })
      assert.deepStrictEqual(others, [])
      assert.strictEqual(line?.level, "INFO")
      assert.match(String(line?.message), /^postgres "orders": a pooler in front of the server is recommended: /)
      assert.match(String(line?.message), / advised_max=30 .*advised_pooler=recommended /)
    }))

  it.effect("is no matter behind a pooler, whose own it is", () =>
    Effect.gen(function*() {
      const { lines } = yield* told(server, { ...size(50), replicas: 40 }, "?pgbouncer=true")
      assert.deepStrictEqual(lines, [])
    }))

  it.effect("is unknown where the answer makes no sense, or none comes", () =>
    Effect.gen(function*() {
      for (const answer of [Effect.succeed([]), Effect.succeed(["many", null]), Effect.succeed([2, 3]), Effect.never]) {
        const { lines, server: known } = yield* told(answer, size(5000))
        assert.deepStrictEqual([lines, known], [[], { pooler: false }])
      }
    }))
})
