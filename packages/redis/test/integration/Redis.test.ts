import { Backends, Operation, PoolError } from "@breakwater/core"
import { Redis, RedisError } from "@breakwater/redis"
import { RedisServer } from "@breakwater/testing"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, layer } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer, Logger, Queue, Scheduler, Stream } from "effect"
import * as EffectRedis from "effect/persistence/Redis"
import { elapsed, eventually, freshName, open, proxied, quiet } from "../utils/server.ts"

const reasonOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => RedisError.isRedisError(error) ? error.reason : assert.fail(String(error)))

const misused = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(reasonOf(effect), (reason) => assert.strictEqual(reason._tag, "Misused"))

describe.skipIf(!TestRedis.available)("Redis", () => {
  layer(TestRedis.layer, { excludeTestServices: true })((it) => {
    it.effect("answers commands, with text as strings or as Buffers", () =>
      Effect.gen(function*() {
        const redis = yield* open()
        assert.strictEqual(yield* redis.send("SET", "text", "héllo"), "OK")
        assert.strictEqual(yield* redis.send("GET", "text"), "héllo")
        assert.deepStrictEqual(yield* redis.sendBuffers("GET", "text"), Buffer.from("héllo"))
        assert.strictEqual(yield* redis.send("GET", "missing"), null)
        assert.strictEqual(yield* redis.use((client) => client.strlen("text")), 6)
        assert.deepStrictEqual(yield* redis.use((client) => client.callBuffer("GET", "text")), Buffer.from("héllo"))
        assert.strictEqual(yield* redis.use((client) => Effect.promise(() => client.get("text"))), "héllo")
      }))

    it.effect("opens the shared connections at start, keeps them, and needs no more for many commands at once", () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.RedisServer
        const redis = yield* open({ connections: { shared: 3 } })
        yield* redis.backend.warm
        assert.strictEqual(yield* server.connections(redis.name), 3)
        yield* Effect.forEach(Array(100).keys(), (n) => redis.send("SET", `many-${n}`, n), { concurrency: 100 })
        assert.strictEqual(yield* server.connections(redis.name), 3)
        const { inFlight, shared, used } = yield* redis.stats
        assert.deepStrictEqual({ inFlight, shared, used }, { inFlight: 0, shared: 3, used: 3 })
      }))

    it.effect("opens nothing before it is used where it is lazy", () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.RedisServer
        const redis = yield* open({ pool: { start: "lazy" } })
        assert.strictEqual(yield* server.connections(redis.name), 0)
        yield* redis.send("PING")
        yield* eventually(Effect.map(server.connections(redis.name), (count) => count === 2))
      }))

    it.effect("fails typed with what the server answers, and counts it as well", () =>
      Effect.gen(function*() {
        const redis = yield* open()
        yield* redis.send("SET", "word", "abc")
        const reason = yield* reasonOf(redis.send("INCR", "word"))
        assert.include(reason, { _tag: "ErrorReply", code: "ERR", command: "incr" })
        assert.include(yield* reasonOf(redis.send("LPUSH", "word", 1)), { code: "WRONGTYPE" })
        const inUse = yield* reasonOf(redis.use((client) => client.incr("word")))
        assert.include(inUse, { _tag: "ErrorReply", code: "ERR" })
        const mine = new Error("mine")
        assert.include(yield* reasonOf(redis.use(() => Promise.reject(mine))), { _tag: "Rejected", cause: mine })
        assert.strictEqual(yield* Effect.flip(redis.use(() => Effect.fail("mine" as const))), "mine")
      }))

    it.effect("hears what a function rejects with, however often its fiber yields", () =>
      Effect.gen(function*() {
        const redis = yield* open()
        // What is not heard in time fails the run, as it would end a program.
        const reason = yield* reasonOf(Effect.provideService(
          redis.use(() => Promise.reject(new Error("mine"))),
          Scheduler.MaxOpsBeforeYield,
          3
        ))
        assert.strictEqual(reason._tag, "Rejected")
      }))

    it.effect("runs a pipeline in one go, and a transaction with it when it is atomic", () =>
      Effect.gen(function*() {
        const redis = yield* open()
        const commands: ReadonlyArray<Redis.Command> = [["SET", "p", 1], ["INCR", "p"], ["GET", "p"]]
        assert.deepStrictEqual(yield* redis.pipeline(commands), ["OK", 2, "2"])
        assert.deepStrictEqual(yield* redis.pipeline(commands, { atomic: true }), ["OK", 2, "2"])
        assert.deepStrictEqual(yield* redis.pipeline([]), [])
        const broken = redis.pipeline([["SET", "p", "x"], ["INCR", "p"], ["SET", "after", 1]])
        assert.include(yield* reasonOf(broken), { _tag: "ErrorReply", command: "incr" })
        assert.strictEqual(yield* redis.send("GET", "after"), "1")
        const aborted = redis.pipeline([["SET", "p", "y"], ["NOSUCH"]], { atomic: true })
        assert.include(yield* reasonOf(aborted), { code: "EXECABORT" })
        assert.strictEqual(yield* redis.send("GET", "p"), "x")
      }))

    it.effect("refuses on a shared connection what others would feel, and sends nothing of it", () =>
      Effect.gen(function*() {
        const redis = yield* open()
        yield* misused(redis.use((client) => client.blpop("list", 1)))
        yield* misused(redis.use((client) => client.watch("k")))
        yield* misused(redis.use((client) => client.multi({ pipeline: false })))
        yield* misused(redis.use((client) => client.subscribe("c")))
        yield* misused(redis.send("SELECT", 1))
        yield* misused(redis.send("QUIT"))
        yield* misused(redis.send("CLIENT", "REPLY", "OFF"))
        yield* misused(redis.pipeline([["SET", "k", 1], ["BLPOP", "list", 1]]))
        yield* misused(redis.send("BLPOP", "list", 0))
        assert.strictEqual(yield* redis.send("PING"), "PONG")
        assert.strictEqual((yield* redis.stats).closed, 0)
      }))

    it.effect("does not answer others inside a MULTI that somebody has forgotten", () =>
      Effect.gen(function*() {
        const redis = yield* open({ connections: { shared: 1 } })
        yield* redis.use((client) => client.pipeline().call("MULTI").exec()).pipe(Effect.ignore)
        assert.strictEqual(yield* Operation.idempotent(redis.send("PING")), "PONG")
        assert.strictEqual(yield* redis.send("SET", "k", "v"), "OK")
      }))

    it.effect("gives a blocking command a connection of its own and others theirs meanwhile", () =>
      Effect.gen(function*() {
        const redis = yield* open({ connections: { shared: 1 } })
        const popped = yield* Effect.forkChild(redis.send("BLPOP", "jobs", 5))
        yield* eventually(Effect.map(redis.stats, ({ used }) => used === 2))
        yield* redis.send("LPUSH", "jobs", "job")
        assert.deepStrictEqual(yield* Fiber.join(popped), ["jobs", "job"])
        assert.strictEqual((yield* redis.stats).used, 1)
        const { duration, value } = yield* elapsed(redis.send("BLPOP", "jobs", "0.2"))
        assert.isNull(value)
        assert.isAtLeast(Duration.toMillis(duration), 190)
      }))

    it.effect("closes the connection of a blocking command that is interrupted", () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.RedisServer
        const redis = yield* open({ connections: { shared: 1 } })
        yield* redis.send("BLPOP", "never", 30).pipe(Effect.timeoutOption("100 millis"))
        yield* eventually(Effect.map(server.connections(redis.name), (count) => count === 1))
        yield* redis.send("LPUSH", "never", "kept")
        assert.strictEqual(yield* redis.send("LLEN", "never"), 1)
      }))

    it.effect("lends a connection of one's own, and lends it again only if it comes back as it was", () =>
      Effect.gen(function*() {
        const redis = yield* open({ connections: { shared: 1, max: 2 } })
        const id = (reserved: Redis.Reserved) => reserved.send<number>("CLIENT", "ID")
        const first = yield* Effect.scoped(Effect.flatMap(redis.reserve, id))
        const watching = Effect.gen(function*() {
          const reserved = yield* redis.reserve
          yield* reserved.send("WATCH", "k")
          yield* reserved.send("UNWATCH")
          return yield* id(reserved)
        })
        assert.strictEqual(yield* Effect.scoped(watching), first)
        const dirty = Effect.gen(function*() {
          const reserved = yield* redis.reserve
          yield* reserved.send("SELECT", 3)
          return yield* id(reserved)
        })
        assert.strictEqual(yield* Effect.scoped(dirty), first)
        const next = yield* Effect.scoped(Effect.flatMap(redis.reserve, id))
        assert.notStrictEqual(next, first)
        const pending = Effect.gen(function*() {
          const reserved = yield* redis.reserve
          yield* Effect.sync(() => void reserved.client.blpop("nothing", 30).catch(() => {}))
        })
        yield* Effect.scoped(pending)
        assert.notStrictEqual(yield* Effect.scoped(Effect.flatMap(redis.reserve, id)), next)
      }))

    it.effect("executes a transaction only when nobody has changed what it watches", () =>
      Effect.gen(function*() {
        const redis = yield* open()
        yield* redis.send("SET", "stock", 5)
        const sell = (meanwhile: Effect.Effect<unknown, Redis.Failure>) =>
          redis.transaction(["stock"], (connection) =>
            Effect.gen(function*() {
              const stock = Number(yield* connection.send<string>("GET", "stock"))
              yield* meanwhile
              return [["SET", "stock", stock - 1]] as const
            }))
        assert.deepStrictEqual(yield* sell(Effect.void), ["OK"])
        const conflict = yield* Effect.flip(sell(redis.send("SET", "stock", 100)))
        assert.isTrue(RedisError.isRedisError(conflict) && conflict.reason._tag === "Conflict")
        assert.strictEqual(yield* redis.send("GET", "stock"), "100")
        assert.strictEqual((yield* redis.stats).used, 2)
      }))

    it.effect("streams what is published, on channels and on patterns", () =>
      Effect.gen(function*() {
        const redis = yield* open({ connections: { shared: 1 } })
        const take = (stream: Stream.Stream<Redis.Message, Redis.Failure>) =>
          Effect.forkChild(Stream.runCollect(Stream.take(stream, 2)))
        const plain = yield* take(redis.subscribe(["news", "sport"]))
        const matched = yield* take(redis.subscribe(["s*"], { patterns: true }))
        yield* eventually(Effect.map(redis.send("PUBSUB", "NUMPAT"), (count) => count === 1))
        yield* eventually(
          Effect.map(redis.send<ReadonlyArray<unknown>>("PUBSUB", "CHANNELS"), ({ length }) => length === 2)
        )
        yield* redis.pipeline([["PUBLISH", "news", "a"], ["PUBLISH", "sport", "b"], ["PUBLISH", "stars", "c"]])
        assert.deepStrictEqual(yield* Fiber.join(plain), [
          { channel: "news", message: "a", pattern: undefined },
          { channel: "sport", message: "b", pattern: undefined }
        ])
        assert.deepStrictEqual((yield* Fiber.join(matched)).map(({ message, pattern }) => [pattern, message]), [
          ["s*", "b"],
          ["s*", "c"]
        ])
        assert.strictEqual((yield* redis.stats).used, 1)
      }))

    it.effect("fails a subscriber that is too slow, and one whose connection is lost", () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.RedisServer
        const redis = yield* open()
        const slow = yield* redis.subscribe(["flood"], { bufferSize: 5 }).pipe(
          Stream.mapEffect(() => Effect.sleep("200 millis")),
          Stream.runDrain,
          reasonOf,
          Effect.forkChild
        )
        const numbers = redis.send<ReadonlyArray<unknown>>("PUBSUB", "NUMSUB", "flood", "quiet")
        yield* eventually(Effect.map(numbers, (counts) => counts[1] === 1))
        yield* redis.pipeline(Array.from({ length: 50 }, (_, n) => ["PUBLISH", "flood", n] as const))
        assert.include(yield* Fiber.join(slow), { _tag: "Lagged", bufferSize: 5 })
        const lost = yield* Effect.forkChild(reasonOf(Stream.runDrain(redis.subscribe(["quiet"]))))
        yield* eventually(Effect.map(numbers, (counts) => counts[3] === 1))
        yield* server.killClients(redis.name)
        assert.include(yield* Fiber.join(lost), { _tag: "ConnectionLost" })
        assert.throws(() => redis.subscribe(["c"], { bufferSize: 0 }), RangeError, "bufferSize")
      }))

    it.effect("is Effect's own persistence/Redis: commands, scripts, channels, connections", () =>
      Effect.gen(function*() {
        const { persistence } = yield* open()
        assert.strictEqual(yield* persistence.send("SET", "persisted", "1"), "OK")
        const add = EffectRedis.script((key: string, by: number) => [key, by], {
          lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])",
          numberOfKeys: 1
        }).withReturnType<number>()
        assert.strictEqual(yield* persistence.eval(add)("persisted", 2), 3)
        yield* persistence.send("SCRIPT", "FLUSH")
        assert.strictEqual(yield* persistence.eval(add)("persisted", 2), 5)
        yield* Effect.scoped(Effect.gen(function*() {
          const queue = yield* persistence.subscribe("effects")
          yield* persistence.send("PUBLISH", "effects", "hello")
          assert.deepStrictEqual({ ...yield* Queue.take(queue) }, {
            channel: "effects",
            message: "hello",
            pattern: undefined
          })
        }))
        const blocked = Effect.flatMap(persistence.reserve, ({ send }) => send("BLPOP", "none", "0.1"))
        assert.isNull(yield* Effect.scoped(blocked))
        const failed = yield* Effect.flip(persistence.send("INCR", "persisted", "too", "many"))
        assert.strictEqual(failed._tag, "RedisError")
        assert.isTrue(RedisError.isRedisError(failed.cause))
      }))

    it.effect("is found in Backends while it lives, and answers for its health", () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.RedisServer
        yield* Effect.scoped(Effect.gen(function*() {
          yield* Redis.make({ name: "cache", url: server.url })
          const [entry] = yield* Backends.list
          assert.include(entry?.backend, { name: "cache", kind: "redis", critical: true })
          const health = yield* entry!.backend.health
          assert.strictEqual(health.status, "healthy")
          assert.isAbove(Duration.toMillis(health.latency), 0)
        }))
        assert.deepStrictEqual(yield* Backends.list, [])
      }).pipe(Backends.isolated, quiet))

    it.effect("says within about a second that a silent server is unhealthy", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const redis = yield* open({ url })
        yield* redis.send("PING")
        yield* proxy.blackHole
        const { duration, value } = yield* elapsed(redis.health)
        assert.strictEqual(value.status, "unhealthy")
        assert.isBelow(Duration.toMillis(duration), 2500)
      }))

    it.effect("writes one ready line, and warns when the pool may grow beyond what the server has room for", () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.RedisServer
        const lines: Array<string> = []
        const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
        yield* Effect.gen(function*() {
          const redis = yield* Redis.make({ name: "cache", url: server.url, connections: { max: 100_000 } })
          yield* redis.backend.warm
          yield* eventually(Effect.sync(() => lines.length > 1))
        }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])), Backends.isolated)
        assert.strictEqual(lines.length, 2, lines.join("\n"))
        lines.sort()
        assert.match(lines[0]!, /^Info redis "cache" at \S+ ready: max=100000 min=0 /)
        assert.match(lines[1]!, /^Warn redis "cache": connections.max is 100000, and the server has room for \d+/)
      }))

    it.effect("lets what runs finish when it is drained, and refuses what comes", () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.RedisServer
        const redis = yield* open()
        yield* redis.backend.warm
        const slow = yield* Effect.forkChild(
          redis.use((client) => Effect.andThen(Effect.sleep("200 millis"), Effect.promise(() => client.ping())))
        )
        yield* eventually(Effect.map(redis.stats, ({ inFlight }) => inFlight === 1))
        const report = yield* redis.backend.drain("5 seconds")
        assert.strictEqual(yield* Fiber.join(slow), "PONG")
        assert.deepStrictEqual([report.cut.length, report.leftOpen], [0, 0])
        const refused = yield* Effect.flip(redis.send("PING"))
        assert.isTrue(PoolError.isPoolError(refused) && refused.reason._tag === "Closed")
        yield* eventually(Effect.map(server.connections(redis.name), (count) => count === 0))
      }))

    it.effect("replaces its connections when it is cleared, under callers who notice nothing", () =>
      Effect.gen(function*() {
        const redis = yield* open()
        yield* redis.backend.warm
        const ids = () => redis.send<number>("CLIENT", "ID")
        const before = yield* ids()
        yield* redis.backend.clear()
        yield* Effect.forEach(Array(20).keys(), ids, { concurrency: 5 })
        yield* redis.backend.warm
        assert.isAbove(yield* ids(), before + 1)
        assert.strictEqual((yield* redis.stats).used, 2)
      }))

    it.effect("keeps two apart, and gives a Service also as the program's persistence/Redis", () =>
      Effect.gen(function*() {
        class Cache extends Redis.Service<Cache>()("cache") {}
        class Jobs extends Redis.Service<Jobs>()("jobs") {}
        const { url } = yield* RedisServer.RedisServer
        const layers = Layer.mergeAll(Cache.persistenceLayer({ url }), Jobs.layer({ url }))
        const context = yield* Layer.build(layers)
        assert.strictEqual(Context.get(context, Cache).name, "cache")
        assert.strictEqual(Context.get(context, Jobs).name, "jobs")
        assert.strictEqual(Context.get(context, EffectRedis.Redis), Context.get(context, Cache).persistence)
      }).pipe(Backends.isolated, quiet))

    it.effect("leaves nothing open when its scope closes", () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.RedisServer
        const name = freshName()
        yield* Effect.scoped(Effect.gen(function*() {
          const redis = yield* open({ name })
          yield* Effect.forEach(Array(20).keys(), () => redis.send("BLPOP", "none", "0.05"), { concurrency: 10 })
        }))
        yield* eventually(Effect.map(server.connections(name), (count) => count === 0))
      }))
  })
})
