/** A password shows in nothing that anybody may read. */
import { Backends, Health } from "@breakwater/core"
import { Redis } from "@breakwater/redis"
import { Witness } from "@breakwater/testing"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Redacted, Stream } from "effect"
import { eventually, proxied } from "../utils/server.ts"

const SECRET = "hunter2-s3cret"

/** Runs a Redis in a bad world, and gives all that it says of it. */
const told = (url: Redacted.Redacted, calls: (redis: Redis.Redis) => Effect.Effect<void>) =>
  Effect.gen(function*() {
    const { listen, said, see } = yield* Witness.make
    const options: Redis.Options = { name: "cache", url, policy: { deadline: "2 seconds" } }
    yield* Effect.gen(function*() {
      const redis = yield* Redis.make(options)
      yield* Effect.forkChild(Stream.runForEach(redis.backend.events, (event) => Effect.sync(() => see(event))))
      const failing = [
        redis.send("GET", "k"),
        redis.send("INCR", "k", "wrong"),
        redis.send("AUTH", SECRET),
        redis.use((client) => client.call("NOSUCH")),
        Effect.scoped(redis.reserve)
      ]
      yield* calls(redis)
      for (const call of failing) see(yield* Effect.exit(Effect.withSpan(call, "call")))
      for (const shown of [redis.health, redis.stats, redis.backend.policy, Health.check()]) see(yield* shown)
      for (const value of [options, redis, redis.backend]) see(value)
    }).pipe(listen, Backends.isolated)
    return said()
  })

describe.skipIf(!TestRedis.available)("The password of a Redis", () => {
  layer(TestRedis.layer, { excludeTestServices: true })((it) => {
    it.effect("shows nowhere when it is wrong", () =>
      Effect.gen(function*() {
        const { server } = yield* proxied
        const url = Redacted.make(`redis://default:${SECRET}@${server.host}:${server.port}`)
        const said = yield* told(url, (redis) =>
          eventually(Effect.map(redis.health, ({ status }) => status === "unhealthy")))
        assert.include(said, "WRONGPASS")
        assert.notInclude(said, SECRET)
      }))

    it.effect("shows nowhere when the network fails, nor in what the server says of commands", () =>
      Effect.gen(function*() {
        const { proxy, server, url } = yield* proxied
        const said = yield* told(url, (redis) =>
          Effect.gen(function*() {
            yield* redis.backend.warm.pipe(Effect.orDie)
            yield* proxy.refuse
            yield* proxy.reset
          }))
        assert.include(said, "ECONNREFUSED")
        assert.notInclude(said, Redacted.value(server.password))
        assert.notInclude(said, SECRET)
      }))
  })
})
