import { FakeMongo, MongoServer } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Redacted } from "effect"
import { MongoClient } from "mongodb"
import { inspect } from "node:util"

/** A client of the bare driver, until the scope closes. */
const connect = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new MongoClient(url, { serverSelectionTimeoutMS: 500, appName: "bare" })),
    (client) => Effect.promise(() => client.close())
  )

const bare = Effect.gen(function*() {
  const fake = yield* FakeMongo.make
  const client = yield* connect(`mongodb://${fake.host}:${fake.port}/shop`)
  return { fake, books: client.db().collection<{ n: number; title?: string }>("books") }
})

describe("FakeMongo", () => {
  it.live("answers the driver: insert, find, update, delete, count", () =>
    Effect.gen(function*() {
      const { books } = yield* bare
      yield* Effect.promise(async () => {
        await books.insertMany([{ n: 1 }, { n: 2 }, { n: 3 }])
        const found = await books.find({ n: { $gte: 2 } }).sort({ n: -1 }).limit(1).toArray()
        assert.deepStrictEqual(found.map(({ n }) => n), [3])
        const updated = await books.updateMany({ n: { $in: [1, 2] } }, { $set: { title: "x" } })
        assert.deepStrictEqual([updated.matchedCount, updated.modifiedCount], [2, 2])
        const upserted = await books.updateOne({ n: 9 }, { $inc: { n: 1 } }, { upsert: true })
        assert.strictEqual(upserted.upsertedCount, 1)
        assert.strictEqual((await books.findOne({ n: 10 }))?.n, 10)
        assert.strictEqual((await books.deleteOne({ n: 10 })).deletedCount, 1)
        assert.strictEqual(await books.countDocuments({ title: "x" }), 2)
        assert.strictEqual(await books.countDocuments({ title: "y" }), 0)
      })
    }))

  it.live("refuses a second document with the same id, and a command that it does not know", () =>
    Effect.gen(function*() {
      const { books } = yield* bare
      const codeOf = (promise: Promise<unknown>) =>
        Effect.map(
          Effect.flip(Effect.tryPromise({ try: () => promise, catch: (error) => error })),
          (error) => Reflect.get(Object(error), "code")
        )
      const { insertedId: _id } = yield* Effect.promise(() => books.insertOne({ n: 1 }))
      assert.strictEqual(yield* codeOf(books.insertOne({ _id, n: 2 })), 11_000)
      assert.strictEqual(yield* codeOf(books.distinct("n")), 59)
    }))

  it.live("counts and cuts connections, dies, and comes back on its port with its documents", () =>
    Effect.gen(function*() {
      const { books, fake } = yield* bare
      yield* Effect.promise(() => books.insertOne({ n: 1 }))
      assert.isAtLeast(yield* fake.connections("bare"), 2)
      assert.strictEqual(yield* fake.connections("other"), 0)
      assert.isAtLeast(yield* fake.killClients("bare"), 2)
      yield* fake.kill
      const { accepted, open, peak } = yield* fake.stats
      assert.strictEqual(open, 0)
      assert.isTrue(peak >= 2 && accepted >= peak)
      assert.isFalse(yield* fake.isRunning)
      yield* Effect.flip(Effect.tryPromise(() => books.findOne({ n: 1 })))
      yield* fake.start
      const found = Effect.tryPromise(() => books.findOne({ n: 1 }))
      assert.strictEqual((yield* Effect.retry(found, { times: 10 }))?.n, 1)
    }))

  it.live("does what a fault says as often as it says", () =>
    Effect.gen(function*() {
      const { books, fake } = yield* bare
      const find = Effect.tryPromise({ try: () => books.findOne({}, { maxTimeMS: 50 }), catch: (error) => error })
      yield* fake.fail({ command: "find", times: 1, delay: "10 seconds" })
      assert.include(String(yield* Effect.flip(find)), "exceeded time limit")
      yield* fake.fail({ command: "*", error: { code: 7, codeName: "HostNotFound" } })
      assert.include(String(yield* Effect.flip(find)), "HostNotFound")
      yield* fake.heal
      assert.isNull(yield* find)
    }))
})

describe("MongoServer", () => {
  it.live("says whether it is a MongoDB, and is killed and started again", () =>
    Effect.gen(function*() {
      const server = yield* MongoServer.make({ sources: MongoServer.ownSources })
      assert.strictEqual(server.responder, server.source === "responder")
      assert.strictEqual(server.responder, server.version === "responder")
      yield* server.restart
      const client = yield* connect(Redacted.value(server.url))
      assert.strictEqual((yield* Effect.promise(() => client.db().command({ ping: 1 })))["ok"], 1)
    }))

  it.live.each(["redis://u:hunter2@h/d", "u:hunter2@nowhere", "mongodb://"])(
    "refuses the given URL %s without repeating it",
    (url) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(MongoServer.attach({ url: Redacted.make(url) }))
        assert.strictEqual(error.reason._tag, "InvalidUrl")
        assert.match(error.message, /mongodb:\/\/user:password@host/)
        assert.notMatch(inspect(error, { depth: 10, showHidden: true }), /hunter2/)
      })
  )

  it.live("is the given server where one is given, and never kills it", () =>
    Effect.gen(function*() {
      const fake = yield* FakeMongo.make
      const variable = { BREAKWATER_TEST_MONGODB_URL: `mongodb://${fake.host}:${fake.port}` }
      const asked = yield* MongoServer.make({ sources: ["given"] }).pipe(
        Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(variable))),
        Effect.flip
      )
      // It asks for the version, which the responder does not know: this one is no MongoDB.
      assert.strictEqual(asked.reason._tag, "AdminFailed")
      const none = yield* MongoServer.make({ sources: ["given"] }).pipe(
        Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({}))),
        Effect.flip
      )
      assert.strictEqual(none.reason._tag, "NotFound")
    }))
})
