/** For how long connections are held for one caller while no command runs on them. */
import type { Redis } from "@breakwater/redis"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { open } from "../utils/server.ts"

const timesOf = ({ backend }: Redis.Redis) =>
  Effect.map(backend.detail ?? Effect.undefined, (detail) => {
    const { heldIdle, use } = detail?.times ?? {}
    return { idle: heldIdle?.sum ?? NaN, use: use?.sum ?? NaN, counts: [heldIdle?.count, use?.count] }
  })

/** Seconds. */
const [BLOCK, THOUGHT] = [0.3, 0.2]
const think = Effect.sleep(THOUGHT * 1000)

describe.skipIf(!TestRedis.available)("The time that a connection is held and idle", () => {
  layer(TestRedis.layer, { excludeTestServices: true })((it) => {
    it.effect("is what no command of a reserved connection takes", () =>
      Effect.gen(function*() {
        const redis = yield* open()
        yield* Effect.scoped(Effect.gen(function*() {
          const { client, send } = yield* redis.reserve
          yield* send("BLPOP", "nothing", BLOCK)
          yield* think
          yield* Effect.promise(() => client.blpop("nothing", BLOCK))
          yield* Effect.promise(() => client.pipeline().ping().blpop("nothing", BLOCK).exec())
        }))
        const { counts, idle, use } = yield* timesOf(redis)
        assert.deepStrictEqual(counts, [1, 1])
        assert.isAtLeast(idle, THOUGHT * 0.99)
        assert.isAtMost(idle, use - 3 * BLOCK * 0.99)
      }))

    it.effect("is what the program decides inside of a transaction", () =>
      Effect.gen(function*() {
        const redis = yield* open()
        yield* redis.transaction(["watched"], () => Effect.as(think, [["SET", "watched", 1]]))
        const { counts, idle, use } = yield* timesOf(redis)
        assert.deepStrictEqual(counts, [1, 1])
        assert.isAtLeast(idle, THOUGHT * 0.99)
        assert.isBelow(idle, use)
      }))

    it.effect("is none of a subscription, which is there to wait", () =>
      Effect.gen(function*() {
        const redis = yield* open()
        yield* Stream.runDrain(Stream.interruptWhen(redis.subscribe(["news"]), think))
        const { counts, idle, use } = yield* timesOf(redis)
        assert.deepStrictEqual([counts, idle], [[1, 1], 0])
        assert.isAbove(use, 0)
      }))

    it.effect("is none of the connections that callers share", () =>
      Effect.gen(function*() {
        const redis = yield* open({ connections: { shared: 1 } })
        yield* redis.send("PING")
        yield* think
        yield* redis.backend.pause ?? Effect.void
        yield* Effect.repeat(Effect.andThen(Effect.sleep("10 millis"), redis.stats), {
          until: ({ used }) => used === 0
        })
        const { counts, idle } = yield* timesOf(redis)
        assert.deepStrictEqual([counts, idle], [[1, 1], 0])
      }))
  })
})
