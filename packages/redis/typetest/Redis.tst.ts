import type { PolicyError, PoolError } from "@breakwater/core"
import { Redis, type RedisError } from "@breakwater/redis"
import { Config, Effect, type Layer, Redacted, type Scope, type Stream } from "effect"
import type * as EffectRedis from "effect/persistence/Redis"
import { describe, expect, test } from "tstyche"

class Cache extends Redis.Service<Cache>()("cache") {}
class Jobs extends Redis.Service<Jobs>()("jobs") {}

const url = Redacted.make("redis://localhost")
declare const redis: Redis.Redis
declare const cache: Cache

type Failure = PoolError.PoolError | Config.ConfigError

describe("Redis", () => {
  test("layers provide it, and Effect's own where they say so", () => {
    expect(Redis.layer({ name: "cache", url })).type.toBe<Layer.Layer<Redis.Redis | EffectRedis.Redis, Failure>>()
    expect(Redis.layerConfig({ name: Config.succeed("cache"), url: Config.Redacted("URL") })).type.toBe<
      Layer.Layer<Redis.Redis | EffectRedis.Redis, Failure>
    >()
    expect(Cache.layer({ url })).type.toBe<Layer.Layer<Cache, Failure>>()
    expect(Cache.persistenceLayer({ url })).type.toBe<Layer.Layer<Cache | EffectRedis.Redis, Failure>>()
    expect(Cache.layerConfig({})).type.toBe<Layer.Layer<Cache, Failure>>()
  })

  test("an operator sets what a part of the policy is set to, or takes it out", () => {
    expect(Cache.layerConfig({
      policy: { retry: { times: Config.Int("TIMES") }, breaker: Config.succeed(false as const) }
    })).type.toBe<Layer.Layer<Cache, Failure>>()
    expect(Cache.layerConfig).type.not.toBeCallableWith({ policy: { retry: { tries: Config.Int("TIMES") } } })
  })

  test("services of two names are two services", () => {
    expect(Effect.succeed(cache)).type.not.toBeAssignableTo<Effect.Effect<Jobs>>()
  })

  test("a call fails with the errors of Redis, the pool and the policies, and nothing else", () => {
    expect<Redis.Failure>().type.toBe<RedisError.RedisError | PoolError.PoolError | PolicyError.PolicyError>()
    expect(redis.send<string>("GET", "k")).type.toBe<Effect.Effect<string, Redis.Failure>>()
    expect(redis.send("GET", "k")).type.toBe<Effect.Effect<unknown, Redis.Failure>>()
    expect(redis.reserve).type.toBe<
      Effect.Effect<Redis.Reserved, PoolError.PoolError | PolicyError.PolicyError, Scope.Scope>
    >()
    expect(redis.subscribe(["c"])).type.toBe<Stream.Stream<Redis.Message, Redis.Failure>>()
  })

  test("use infers what a function gives, of both kinds", () => {
    expect(redis.use((client) => client.get("k"))).type.toBe<Effect.Effect<string | null, Redis.Failure>>()
    expect(redis.use(() => Effect.fail("mine" as const))).type.toBe<Effect.Effect<never, "mine" | Redis.Failure>>()
  })

  test("a command has a name and arguments", () => {
    expect(redis.send).type.not.toBeCallableWith()
    expect(redis.send).type.not.toBeCallableWith("SET", { key: "k" })
  })
})
