/** The password shows in nothing that anybody may read. On the responder, which refuses it as it is told to. */
import { Backends, Health } from "@breakwater/core"
import { Mongo } from "@breakwater/mongodb"
import { FakeMongo, Witness } from "@breakwater/testing"
import { assert, it } from "@effect/vitest"
import { Effect, Redacted, Stream } from "effect"
import { find, urlOf } from "../utils/database.ts"

const SECRET = "s3cret-of-mine"

it.live("shows the password in no error, log, event, span or health body", () =>
  Effect.gen(function*() {
    const { listen, said, see } = yield* Witness.make
    const server = yield* FakeMongo.make
    const url = Redacted.value(urlOf(server, "/shop?authSource=admin")).replace("://", `://app:${SECRET}@`)
    const options: Mongo.Options = {
      name: "shop",
      url: Redacted.make(url),
      driver: { serverSelectionTimeout: "200 millis" }
    }
    yield* Effect.gen(function*() {
      const mongo = yield* Mongo.make(options)
      yield* Effect.forkChild(Stream.runForEach(mongo.backend.events, (event) => Effect.sync(() => see(event))), {
        startImmediately: true
      })
      const call = Effect.exit(Effect.withSpan(mongo.use(find), "call"))
      see(yield* call)
      for (const shown of [mongo.health, mongo.stats, mongo.backend.policy, Health.check()]) see(yield* shown)
      yield* server.kill
      see(yield* call)
      see(yield* Effect.exit(mongo.backend.warm))
      for (const value of [options, mongo, mongo.backend]) see(value)
      see(yield* mongo.backend.drain(0))
      see(yield* call)
    }).pipe(listen, Effect.scoped, Backends.isolated)
    for (const word of ["Authentication", "DialFailed", "ServerSelection", "unhealthy"]) assert.include(said(), word)
    assert.notInclude(said(), SECRET)
  }))

it.live("shows nothing of a URL that is wrong", () =>
  Effect.gen(function*() {
    const { listen, said, see } = yield* Witness.make
    const rests = ["db/shop?maxPoolSize=x", "db/shop?directConnection=perhaps", "[/", "db:port/shop"]
    const urls = [...rests.map((rest) => `mongodb://app:${SECRET}@${rest}`), `mongodb://app:1/${SECRET}@db`]
    for (const text of urls) {
      const url = Redacted.make(text)
      const exit = yield* Effect.exit(Mongo.make({ name: "shop", url, pool: { start: "lazy" } })).pipe(
        listen,
        Effect.scoped,
        Backends.isolated
      )
      assert.strictEqual(exit._tag, "Failure", text)
      see(exit)
    }
    assert.notInclude(said(), SECRET)
  }))
