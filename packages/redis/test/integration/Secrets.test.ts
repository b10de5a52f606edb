/** A password shows in nothing that anybody may read. */
import { Backends } from "@breakwater/core"
import { Redis } from "@breakwater/redis"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Logger, Redacted, Stream } from "effect"
import { inspect } from "node:util"
import { eventually, proxied } from "../utils/server.ts"

const SECRET = "hunter2-s3cret"

const everything = (value: unknown) => inspect(value, { depth: 12, showHidden: true })

/** Runs a Redis in a bad world, and gives all that it says of it. */
const told = (url: Redacted.Redacted, calls: (redis: Redis.Redis) => Effect.Effect<void>) =>
  Effect.gen(function*() {
    const said: Array<string> = []
    const say = (value: unknown) => void said.push(everything(value), String(value))
    const logger = Logger.make((options) => say([options.message, options.cause]))
    const redis = yield* Redis.make({ name: "cache", url, policy: { deadline: "2 seconds" } }).pipe(
      Effect.provide(Logger.layer([logger]))
    )
    yield* Effect.forkChild(Stream.runForEach(redis.backend.events, (event) => Effect.sync(() => say(event))))
    const failing = [
      redis.send("GET", "k"),
      redis.send("INCR", "k", "wrong"),
      redis.send("AUTH", SECRET),
      redis.use((client) => client.call("NOSUCH")),
      Effect.scoped(redis.reserve)
    ]
    yield* calls(redis)
    for (const call of failing) say(yield* Effect.exit(call))
    say(yield* redis.health)
    say(yield* redis.stats)
    say(yield* redis.backend.policy)
    return { said: said.join("\n"), redis }
  }).pipe(Backends.isolated)

describe.skipIf(!TestRedis.available)("The password of a Redis", () => {
  layer(TestRedis.layer, { excludeTestServices: true })((it) => {
    it.effect("shows nowhere when it is wrong", () =>
      Effect.gen(function*() {
        const { server } = yield* proxied
        const url = Redacted.make(`redis://default:${SECRET}@${server.host}:${server.port}`)
        const { said } = yield* told(url, (redis) =>
          eventually(Effect.map(redis.health, ({ status }) => status === "unhealthy")))
        assert.include(said, "WRONGPASS")
        assert.notInclude(said, SECRET)
      }))

    it.effect("shows nowhere when the network fails, nor in what the server says of commands", () =>
      Effect.gen(function*() {
        const { proxy, server, url } = yield* proxied
        const { said } = yield* told(url, (redis) =>
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
