/** What is done around calls, beyond what every test of this package sees. */
import { Mongo, MongoError } from "@breakwater/mongodb"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { eventually, faulty, find, insert } from "../utils/database.ts"

describe("The policy of a MongoDB", () => {
  it("refuses what there is not, by name", () => {
    const misspelt = Object.assign({ deadline: "1 second" } as const, { recover: false })
    assert.throws(
      () => Mongo.make({ name: "shop", url: Redacted.make("mongodb://localhost/shop"), policy: misspelt }),
      RangeError,
      "Option \"policy.recover\" is not known; allowed is one of deadline,"
    )
  })

  it.live("opens no circuit by thirty calls whose connections broke at once", () =>
    Effect.gen(function*() {
      const { fake, mongo } = yield* faulty({
        pool: { size: { min: 0, max: 30 } },
        policy: { breaker: { minimumCalls: 5 } }
      })
      yield* fake.fail({ command: "insert", delay: "10 seconds" })
      const calls = yield* Effect.replicateEffect(
        Effect.forkChild(Effect.flip(mongo.use(insert)), { startImmediately: true }),
        30
      )
      yield* eventually(Effect.map(fake.received("insert"), (count) => count === 30))
      yield* fake.killClients()
      const lost = yield* Effect.forEach(calls, Fiber.join)
      assert.isTrue(lost.every((error) => MongoError.isMongoError(error) && error.reason._tag === "ConnectionLost"))
      assert.strictEqual((yield* mongo.backend.policy).circuit?.state, "closed")
      yield* fake.heal
      yield* mongo.use(find)
    }))

  it.live("bounds the calls that run at once", () =>
    Effect.gen(function*() {
      const { fake, mongo } = yield* faulty({ policy: { bulkhead: { permits: 1, queue: 0 } } })
      yield* fake.fail({ command: "find", delay: "10 seconds" })
      const stuck = yield* Effect.forkChild(mongo.use(find), { startImmediately: true })
      yield* eventually(Effect.map(fake.received("find"), (count) => count === 1))
      const refused = yield* Effect.flip(mongo.use(find))
      assert.isTrue(refused._tag === "PolicyError" && refused.reason._tag === "BulkheadFull")
      assert.deepInclude((yield* mongo.backend.policy).bulkhead, { running: 1, permits: 1 })
      yield* Fiber.interrupt(stuck)
    }))
})
