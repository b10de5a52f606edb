import { RedisServer } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Scope } from "effect"
import * as Fs from "node:fs"
import * as Net from "node:net"
import { inspect } from "node:util"

/** Whether a server that may be killed can be had; where not, says so, and what needs one is skipped. */
const ownServers = await Effect.runPromise(Effect.tap(RedisServer.hasBinaries, (found) =>
  Effect.sync(() => {
    if (!found) process.stdout.write("[skipped] redis: no redis-server; install Redis\n")
  })))

const given = (url: string) => ConfigProvider.layer(ConfigProvider.fromUnknown({ BREAKWATER_TEST_REDIS_URL: url }))

const own = RedisServer.make({ sources: ["machine"] })

/** A client that says nothing, until the scope closes. */
const silentClient = ({ host, port }: RedisServer.RedisServer) =>
  Effect.acquireRelease(
    Effect.callback<Net.Socket>((resume) => {
      const socket = Net.connect({ host, port }, () => resume(Effect.succeed(socket.resume())))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

describe.skipIf(!ownServers)("RedisServer", () => {
  it.live("keeps its port over a kill and a restart, and its data until then", () =>
    Effect.gen(function*() {
      const server = yield* own
      assert.match(server.version, /^\d+\.\d+/)
      assert.isFalse(server.given)
      yield* server.command("SET", "kept", "42")
      assert.strictEqual(yield* server.command("GET", "kept"), "42")
      const first = yield* server.pid
      yield* server.kill
      assert.strictEqual((yield* Effect.flip(server.pid)).reason._tag, "NotRunning")
      assert.strictEqual((yield* Effect.flip(server.command("PING"))).reason._tag, "AdminFailed")
      yield* server.start
      const second = yield* server.pid
      assert.notStrictEqual(second, first)
      yield* server.restart
      assert.notStrictEqual(yield* server.pid, second)
      assert.strictEqual(yield* server.command("GET", "kept"), null)
    }), 60_000)

  it.live("counts and ends the connections of others", () =>
    Effect.gen(function*() {
      const server = yield* own
      assert.strictEqual(yield* server.connections(), 0)
      const socket = yield* silentClient(server)
      assert.strictEqual(yield* server.connections(), 1)
      assert.strictEqual(yield* server.connections("shop"), 0)
      const ended = Effect.callback<void>((resume) => {
        if (socket.closed) resume(Effect.void)
        else socket.once("close", () => resume(Effect.void))
      })
      assert.strictEqual(yield* server.killClients(), 1)
      yield* ended
      assert.strictEqual(yield* server.connections(), 0)
    }), 60_000)

  it.live("is gone with its scope, its folder too", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(own, scope)
      const reply = yield* server.command("CONFIG", "GET", "dir")
      const folder = Array.isArray(reply) ? String(reply[1]) : ""
      assert.isTrue(Fs.existsSync(folder))
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      assert.isFalse(Fs.existsSync(folder))
      assert.strictEqual((yield* Effect.flip(server.command("PING"))).reason._tag, "AdminFailed")
    }), 60_000)

  it.live("says with the end of its log why it did not start", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(RedisServer.make({ sources: ["machine"], settings: { maxmemory: "plenty" } }))
      assert.strictEqual(error.reason._tag, "StartFailed")
      assert.match(error.message, /maxmemory/)
    }), 60_000)
})

describe("RedisServer without a server", () => {
  it.effect("names what was tried and what to install when there is none", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(RedisServer.make({ sources: ["given"] }))
      assert.strictEqual(error.reason._tag, "NotFound")
      assert.match(error.message, /given: BREAKWATER_TEST_REDIS_URL is not set/)
      assert.match(error.message, /Install Redis/)
    }).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({})))))

  it.effect.each(["mysql://u:hunter2@h/d", "u:hunter2@nowhere", "redis://u:hunter2@:x/d"])(
    "refuses the given URL %s without repeating it",
    (url) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(RedisServer.make())
        assert.strictEqual(error.reason._tag, "InvalidUrl")
        assert.notMatch(inspect(error, { depth: 10, showHidden: true }), /hunter2/)
      }).pipe(Effect.provide(given(url)))
  )

  it.effect("does not show the password of a given server that it can't reach", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(RedisServer.make())
      assert.strictEqual(error.reason._tag, "AdminFailed")
      assert.notMatch(inspect(error, { depth: 10, showHidden: true }), /hunter2/)
    }).pipe(Effect.provide(given("redis://u:hunter2@127.0.0.1:1"))))

  it.effect("rejects a setting whose name or value is none when called", () =>
    Effect.sync(() => {
      assert.throws(() => RedisServer.make({ settings: { "a 1\nb": 1 } }), RangeError, "settings")
      assert.throws(() => RedisServer.make({ settings: { save: "1 1\nport 1" } }), RangeError, "settings")
    }))
})
