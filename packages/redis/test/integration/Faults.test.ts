/** A server, or a network, that fails. */
import { Operation, PolicyError, PoolError } from "@breakwater/core"
import { type Redis, RedisError } from "@breakwater/redis"
import { RedisServer } from "@breakwater/testing"
import * as TestRedis from "@breakwater/testing/TestRedis"
import { assert, describe, it, layer } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Redacted, Stream } from "effect"
import * as FakeRedis from "../utils/fakeRedis.ts"
import { elapsed, eventually, open, proxied, succeeds } from "../utils/server.ts"

const isTyped = (error: unknown): boolean =>
  RedisError.isRedisError(error) || PoolError.isPoolError(error) || PolicyError.isPolicyError(error)

/** Succeeds, or fails with a typed error and nothing else. */
const typed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return true
    assert.isTrue(exit.cause.reasons.every((reason) => reason._tag === "Fail" && isTyped(reason.error)), String(exit))
    return false
  })

const own = Effect.provideServiceEffect(
  RedisServer.RedisServer,
  RedisServer.make({ sources: RedisServer.ownSources })
)

describe.skipIf(!TestRedis.available)("Redis over a bad network", () => {
  layer(TestRedis.layer, { excludeTestServices: true })((test) => {
    test.effect("answers the next call after every connection was cut, reset or killed", () =>
      Effect.gen(function*() {
        const { proxy, server, url } = yield* proxied
        const redis = yield* open({ url })
        yield* redis.backend.warm
        for (const fault of [proxy.cut, proxy.reset, Effect.asVoid(server.killClients(redis.name))]) {
          yield* fault
          assert.strictEqual(yield* redis.send("GET", "missing"), null)
          yield* redis.backend.warm
        }
        assert.strictEqual((yield* redis.stats).used, 2)
      }))

    test.effect("counts none of its shared connections as turned away, where a dial takes longer than callers may wait", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        yield* proxy.delay("50 millis")
        const redis = yield* open({ url, pool: { wait: { timeout: "10 millis" }, dial: { timeout: "10 seconds" } } })
        yield* eventually(Effect.map(redis.stats, ({ shared }) => shared === 2))
        assert.strictEqual((yield* redis.stats).timedOut, 0)
      }))

    test.effect("does not repeat by itself what may have taken effect when the connection was lost", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const redis = yield* open({ url })
        yield* redis.backend.warm
        yield* proxy.delay("100 millis")
        const counted = yield* Effect.forkChild(Effect.flip(redis.send("INCR", "counted")))
        const read = yield* Effect.forkChild(redis.send("GET", "missing"))
        yield* Effect.sleep("150 millis")
        yield* proxy.reset
        yield* proxy.restore
        const error = yield* Fiber.join(counted)
        assert.isTrue(RedisError.isRedisError(error))
        assert.include("reason" in error ? error.reason : {}, { _tag: "ConnectionLost", sent: "unknown" })
        assert.isNull(yield* Fiber.join(read))
      }))

    test.effect("replaces a connection that no longer answers, and then works again", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const redis = yield* open({
          url,
          pool: { check: { timeout: "100 millis" } },
          policy: { timeout: "200 millis", retry: { times: 0 } }
        })
        yield* redis.backend.warm
        yield* proxy.blackHole
        const error = yield* Effect.flip(redis.send("PING"))
        assert.isTrue(PolicyError.isPolicyError(error) && error.reason._tag === "AttemptTimeout")
        yield* eventually(Effect.map(redis.stats, ({ closed }) => closed > 0))
        yield* proxy.restore
        yield* eventually(succeeds(redis.send("PING")))
      }))

    test.effect("finds out by itself that a connection is dead, within the interval", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const redis = yield* open({ url, pool: { check: { interval: "100 millis", timeout: "100 millis" } } })
        yield* redis.backend.warm
        yield* proxy.blackHole
        yield* eventually(Effect.map(redis.stats, ({ closed }) => closed >= 2))
      }))

    test.effect("tells callers at once while the server refuses, and recovers when it does not", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const redis = yield* open({ url })
        yield* redis.backend.warm
        yield* proxy.refuse
        yield* proxy.reset
        yield* eventually(
          Effect.map(
            Effect.flip(redis.send("GET", "k")),
            (error) => PoolError.isPoolError(error) && error.reason._tag === "Unavailable"
          )
        )
        const { duration, value } = yield* elapsed(Effect.flip(redis.send("PING").pipe(Effect.timeout("5 seconds"))))
        assert.isTrue(isTyped(value))
        assert.isBelow(Duration.toMillis(duration), 4000)
        assert.strictEqual((yield* redis.health).status, "unhealthy")
        yield* proxy.restore
        yield* eventually(succeeds(redis.send("PING")))
        yield* redis.backend.warm
      }))

    test.effect("opens its circuit when asked to, and closes it once the server can be dialled again", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        const redis = yield* open({
          url,
          pool: { check: { timeout: "50 millis" }, dial: { timeout: "100 millis" } },
          policy: {
            timeout: "50 millis",
            retry: { times: 0 },
            breaker: { window: 4, minimumCalls: 2, openFor: "1 hour" }
          }
        })
        yield* redis.backend.warm
        yield* proxy.blackHole
        yield* eventually(
          Effect.map(
            Effect.flip(redis.send("PING")),
            (error) => PolicyError.isPolicyError(error) && error.reason._tag === "CircuitOpen"
          )
        )
        yield* eventually(Effect.map(redis.backend.detail!, ({ lastError }) => lastError !== undefined))
        yield* proxy.restore
        yield* eventually(succeeds(redis.send("PING")))
      }))

    test.effect("fails to start with fail-fast only, and typed, when the server refuses", () =>
      Effect.gen(function*() {
        const { proxy, url } = yield* proxied
        yield* proxy.refuse
        const error = yield* Effect.flip(Effect.scoped(open({ url, pool: { start: "fail-fast" } })))
        assert.isTrue(PoolError.isPoolError(error))
        yield* Effect.scoped(open({ url }))
      }))

    test.effect("speaks no word of Redis to a plain port where TLS is asked for", () =>
      Effect.gen(function*() {
        const fake = yield* FakeRedis.make
        for (
          const text of [`redis://:s3cret@127.0.0.1:${fake.port}?ssl=true`, `rediss://:s3cret@127.0.0.1:${fake.port}`]
        ) {
          yield* Effect.scoped(Effect.gen(function*() {
            const redis = yield* open({ url: Redacted.make(text) })
            yield* eventually(Effect.sync(() => fake.heard() !== ""))
            yield* Effect.flip(redis.send("PING").pipe(Effect.timeout("100 millis")))
          }))
        }
        assert.strictEqual(fake.heard().charCodeAt(0), 0x16, "a TLS handshake")
        assert.notMatch(fake.heard(), /HELLO|AUTH|PING|s3cret/)
      }))

    test.effect("hears what a server says before it hangs up on a new connection", () =>
      Effect.gen(function*() {
        const fake = yield* FakeRedis.make
        fake.dismiss("-ERR max number of clients reached\r\n")
        const url = Redacted.make(`redis://127.0.0.1:${fake.port}`)
        const error = yield* Effect.flip(Effect.scoped(open({ url, pool: { start: "fail-fast" } })))
        const cause = PoolError.isPoolError(error) ? error.cause : undefined
        assert.include(RedisError.isRedisError(cause) ? cause.outcome : {}, { _tag: "Overload", sent: "no" })
      }))

    test.effect("takes a server that loads its data for one that is not there yet", () =>
      Effect.gen(function*() {
        const fake = yield* FakeRedis.make
        fake.answer("-LOADING Redis is loading the dataset in memory\r\n")
        const redis = yield* open({
          url: Redacted.make(`redis://127.0.0.1:${fake.port}`),
          policy: { retry: { times: 0 } }
        })
        yield* eventually(Effect.map(Effect.flip(redis.send("PING")), (error) =>
          PoolError.isPoolError(error) && error.reason._tag === "Unavailable" &&
          RedisError.isRedisError(error.cause) && "code" in error.cause.reason &&
          error.cause.reason.code === "LOADING"))
        fake.answer("+PONG\r\n")
        yield* eventually(succeeds(redis.send("PING")))
      }))
  })
})

describe.skipIf(!TestRedis.ownAvailable)("A Redis server of one's own", () => {
  it.live("that is killed shows as typed failures, and is used again when it is back", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.RedisServer
      const redis = yield* open({ connections: { max: 4, shared: 2 } })
      yield* redis.backend.warm
      yield* server.kill
      const calls = (n: number): Effect.Effect<unknown, Redis.Failure> =>
        n % 2 === 0 ? redis.send("GET", "k") : redis.send("INCR", "n").pipe(Effect.timeoutOption("200 millis"))
      for (let n = 0; n < 6; n++) yield* typed(calls(n))
      yield* server.start
      yield* eventually(succeeds(redis.send("PING")))
      yield* redis.backend.warm
      assert.isAtMost(yield* server.connections(redis.name), 4)
    }).pipe(own, Effect.scoped), 30_000)

  it.live("that is restarted under load loses no call without a word", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.RedisServer
      const redis = yield* open()
      yield* redis.backend.warm
      let stop = false
      const load = yield* Effect.forkChild(Effect.forEach(
        Array(8).keys(),
        () => Effect.repeat(Effect.andThen(Effect.sleep(2), typed(redis.send("INCR", "n"))), { while: () => !stop }),
        { concurrency: 8 }
      ))
      yield* Effect.sleep("100 millis")
      yield* server.restart
      yield* eventually(succeeds(redis.send("PING")))
      stop = true
      yield* Fiber.join(load)
    }).pipe(own, Effect.scoped), 30_000)

  it.live("that is restarted in a pause costs no call", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.RedisServer
      const redis = yield* open({ connections: { max: 4, shared: 2 }, policy: { retry: { times: 0 } } })
      yield* redis.backend.warm
      let stop = false
      let answers = 0
      const shared = redis.send("GET", "k")
      const reserved = Effect.scoped(Effect.flatMap(redis.reserve, (mine) => mine.send("GET", "k")))
      const load = yield* Effect.forkChild(Effect.forEach(
        Array(8).keys(),
        (n) =>
          Effect.repeat(
            Effect.andThen(Effect.sleep(2), Effect.map(n % 2 === 0 ? shared : reserved, () => answers++)),
            { while: () => !stop }
          ),
        { concurrency: 8 }
      ))
      yield* eventually(Effect.sync(() => answers > 20))
      yield* redis.backend.pause!
      yield* eventually(Effect.map(redis.stats, ({ closing, idle, used }) => idle + used + closing === 0))
      yield* server.restart
      assert.include(yield* redis.stats, { opening: 0, shared: 0, waiting: 8 })
      const before = answers
      yield* redis.backend.resume!
      yield* eventually(Effect.sync(() => answers > before + 20))
      stop = true
      yield* Fiber.join(load)
    }).pipe(own, Effect.scoped), 30_000)

  it.live("says while it is paused why a call waits in vain", () =>
    Effect.gen(function*() {
      const redis = yield* open({ pool: { wait: { timeout: "500 millis" } } })
      yield* redis.backend.warm
      yield* redis.backend.pause!
      const error = yield* Effect.flip(redis.send("GET", "k"))
      assert.include("reason" in error ? error.reason : {}, { _tag: "AcquireTimeout", paused: true })
      yield* redis.backend.resume!
      yield* eventually(succeeds(redis.send("GET", "k")))
    }).pipe(own, Effect.scoped), 30_000)

  const writeOn = (redis: Redis.Redis, kind: "shared" | "reserved") =>
    kind === "shared"
      ? redis.send("SET", "k", 1)
      : Effect.scoped(Effect.flatMap(redis.reserve, (mine) => mine.send("SET", "k", 1)))

  for (const kind of ["shared", "reserved"] as const) {
    it.live(
      `that has become a replica is left after one error a ${kind} connection, and found again`,
      () =>
        Effect.gen(function*() {
          const server = yield* RedisServer.RedisServer
          const redis = yield* open({ connections: { max: 4, shared: 2 }, policy: { retry: { times: 0 } } })
          yield* redis.backend.warm
          const closed: Array<string> = []
          const listening = Stream.runForEach(
            redis.backend.events,
            (event) => Effect.sync(() => event._tag === "Closed" && closed.push(event.reason))
          )
          yield* Effect.forkScoped(listening, { startImmediately: true })
          // Connections of both kinds, one of them held through it all.
          const held = yield* redis.reserve
          yield* writeOn(redis, "reserved")
          const { opened: before } = yield* redis.stats
          assert.strictEqual(before, 4)
          yield* server.command("REPLICAOF", "127.0.0.1", "1")
          let errors = 0
          const write = Effect.matchEffect(writeOn(redis, kind), {
            onFailure: (error) =>
              Effect.sync(() => {
                assert.include("reason" in error ? error.reason : {}, { _tag: "ErrorReply", code: "READONLY" })
                errors++
              }),
            onSuccess: () => Effect.void
          })
          yield* Effect.repeat(write, { times: 4 })
          assert.strictEqual(errors, 5)
          assert.isAtMost(errors, (yield* redis.stats).opened - before + 1, "only the first met a connection of before")
          yield* Effect.flip(held.send("SET", "k", 1))
          yield* server.command("REPLICAOF", "NO", "ONE")
          const { duration } = yield* elapsed(eventually(succeeds(writeOn(redis, kind))))
          assert.isBelow(Duration.toMillis(duration), 3000)
          yield* redis.backend.warm
          const { shared } = yield* redis.stats
          assert.strictEqual(shared, 2)
          yield* Effect.forEach(
            Array(20).keys(),
            () => Effect.all([writeOn(redis, "shared"), writeOn(redis, "reserved")])
          )
          assert.deepStrictEqual([...new Set(closed)], ["WrongRole"])
        }).pipe(own, Effect.scoped),
      30_000
    )
  }

  it.live(
    "tells of its becoming a replica once: what a connection of before says late changes nothing",
    () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.RedisServer
        const redis = yield* open({ connections: { max: 4, shared: 2 }, policy: { retry: { times: 0 } } })
        yield* redis.backend.warm
        const held = yield* redis.reserve
        yield* server.command("REPLICAOF", "127.0.0.1", "1")
        yield* Effect.flip(redis.send("SET", "k", 1))
        yield* redis.backend.warm
        const { opened } = yield* redis.stats
        yield* Effect.flip(held.send("SET", "k", 1))
        assert.include(yield* redis.stats, { opened, shared: 2 })
        yield* Effect.sleep("200 millis")
        assert.include(yield* redis.stats, { opened, shared: 2 })
      }).pipe(own, Effect.scoped),
    30_000
  )

  it.live("that has no room for another client says so, and serves with what is open", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.RedisServer
      const redis = yield* open({ policy: { deadline: "2 seconds" }, pool: { wait: { timeout: "300 millis" } } })
      yield* redis.backend.warm
      yield* server.command("CONFIG", "SET", "maxclients", "2")
      const error = yield* Effect.flip(Effect.scoped(redis.reserve))
      assert.isTrue(PoolError.isPoolError(error))
      const cause = PoolError.isPoolError(error) ? error.cause : undefined
      // Its hanging up may overtake what it says.
      assert.match(String(cause), /max number of clients|ECONNRESET|EPIPE/)
      assert.strictEqual(yield* redis.send("PING"), "PONG")
    }).pipe(own, Effect.scoped), 30_000)

  it.live("that has no memory left fails as an overload, and is not asked again", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.RedisServer
      const redis = yield* open()
      yield* server.command("CONFIG", "SET", "maxmemory", "1")
      const error = yield* Effect.flip(Operation.idempotent(redis.send("SET", "k", "v")))
      assert.include(RedisError.isRedisError(error) ? error.outcome : {}, { _tag: "Overload", sent: "no" })
    }).pipe(own, Effect.scoped), 30_000)
})
