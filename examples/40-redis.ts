// Redis over shared and reserved connections: commands, a pipeline, a transaction, a queue, channels, a cache of Effect's.
import { Redis, RedisError } from "@breakwater/redis"
import { Config, Console, Effect, Fiber, Schedule, Stream } from "effect"

// Reads REDIS_URL. What is not set here comes from the environment, the URL, such as ?ssl=true, or else the defaults.
const Cache = Redis.layerConfig({
  name: Config.succeed("shop"),
  connections: { max: Config.succeed(6) },
  policy: { timeout: Config.succeed("1 second"), deadline: Config.succeed("5 seconds") }
})

const program = Effect.gen(function*() {
  const redis = yield* Redis.Redis

  // A command goes over a connection that all callers share. What is idempotent is repeated when it fails.
  yield* redis.send("SET", "example:stock", 3, "EX", 60)
  yield* Console.log(`command:      ${yield* redis.send<string>("GET", "example:stock")} in stock`)

  // Several in one go.
  const [, left] = yield* redis.pipeline([["DEL", "example:jobs"], ["DECR", "example:stock"]])
  yield* Console.log(`pipeline:     ${String(left)} left`)

  // WATCH, what the program decides, and EXEC, on a connection of its own. A conflict is typed, and ours to repeat.
  const isConflict = (error: unknown) => RedisError.isRedisError(error) && error.reason._tag === "Conflict"
  const sell = redis.transaction(
    ["example:stock"],
    (connection) =>
      Effect.map(
        connection.send<string>("GET", "example:stock"),
        (stock) => [["SET", "example:stock", Number(stock) - 1]]
      )
  )
  yield* Effect.retry(sell, { while: isConflict, schedule: Schedule.recurs(5) })
  yield* Console.log(`transaction:  ${yield* redis.send<string>("GET", "example:stock")} left`)

  // A command that blocks gets a connection of its own, so nobody else waits for it.
  const job = yield* Effect.forkChild(redis.send<[string, string]>("BLPOP", "example:jobs", 5))
  yield* redis.send("RPUSH", "example:jobs", "pack it")
  yield* Console.log(`queue:        ${(yield* Fiber.join(job))[1]}`)

  // Channels are a stream, which fails typed when its connection is lost.
  const heard = yield* redis.subscribe(["example:news"]).pipe(Stream.take(1), Stream.runCollect, Effect.forkChild)
  const published = Effect.repeat(redis.send<number>("PUBLISH", "example:news", "sold out soon"), {
    until: (listeners) => listeners > 0,
    schedule: Schedule.spaced("10 millis")
  })
  yield* published
  yield* Console.log(`subscription: ${(yield* Fiber.join(heard))[0]?.message}`)

  // Whatever would hold up the others is refused before it is sent.
  const refused = yield* Effect.flip(redis.send("SELECT", 1))
  yield* Console.log(`refused:      ${refused.message}`)

  const { inFlight, max, shared, used } = yield* redis.stats
  yield* Console.log(`pool:         ${used} of ${max} used, ${shared} of them shared, ${inFlight} commands under way`)
})

await program.pipe(Effect.provide(Cache), Effect.runPromise)
