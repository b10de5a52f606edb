/** Every failure is typed and says what to decide by. The server is the responder, since the faults are on command. */
import { Operation, Outcome, PolicyError } from "@breakwater/core"
import { Mongo, MongoError } from "@breakwater/mongodb"
import type { FakeMongo } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { eventually, faulty, find, insert } from "../utils/database.ts"

const mongoReason = (error: Mongo.Failure): MongoError.Reason =>
  MongoError.isMongoError(error) ? error.reason : assert.fail(`it is ${String(error)}`)

const hang: Mongo.Work<unknown> = (db, _, limits) => db.collection("slow").findOne({}, limits)

const outcomes: ReadonlyArray<
  readonly [NonNullable<FakeMongo.Fault["error"]>, MongoError.Reason["_tag"], Outcome.Outcome]
> = [
  [{ code: 10_107, codeName: "NotWritablePrimary" }, "NotPrimary", Outcome.failure("no")],
  [{ code: 189, codeName: "PrimarySteppedDown" }, "NotPrimary", Outcome.failure("unknown")],
  [{ code: 11_000, codeName: "DuplicateKey" }, "DuplicateKey", Outcome.success],
  [{ code: 50, codeName: "MaxTimeMSExpired" }, "TimeLimit", Outcome.failure("yes")],
  [{ code: 13, codeName: "Unauthorized" }, "Command", Outcome.success],
  [{ code: 6, codeName: "HostUnreachable" }, "ServerFailed", Outcome.failure("yes")],
  [
    { code: 112, codeName: "WriteConflict", labels: ["TransientTransactionError"] },
    "TransactionAborted",
    Outcome.success
  ],
  [
    { code: 64, codeName: "WriteConcernTimeout", labels: ["UnknownTransactionCommitResult"] },
    "CommitUnknown",
    Outcome.failure("unknown")
  ],
  [{ code: 462, codeName: "Busy", labels: ["SystemOverloadedError"] }, "Overloaded", Outcome.overload("unknown")],
  [
    { code: 462, codeName: "Busy", labels: ["SystemOverloadedError", "RetryableError"], baseBackoffMS: 40 },
    "Overloaded",
    Outcome.overload("no", Duration.millis(40))
  ]
]

describe("Errors", () => {
  for (const [error, tag, outcome] of outcomes) {
    it.live(`${error.codeName} with labels ${error.labels?.join(", ") ?? "none"} is ${tag}`, () =>
      Effect.gen(function*() {
        const { fake, mongo } = yield* faulty()
        yield* fake.fail({ command: "find", error })
        const failure = yield* Effect.flip(mongo.use(find))
        const reason = mongoReason(failure)
        assert.strictEqual(reason._tag, tag)
        assert.deepStrictEqual(MongoError.isMongoError(failure) && failure.outcome, outcome)
        if ("labels" in reason) assert.includeMembers([...reason.labels], [...(error.labels ?? [])])
      }))
  }

  it.live("a refusal counts as sent where an earlier operation of the same call was", () =>
    Effect.gen(function*() {
      const { fake, mongo } = yield* faulty({ policy: { retry: { times: 2 } } })
      yield* fake.fail({ command: "find", error: { code: 10_107, codeName: "NotWritablePrimary" } })
      const both: Mongo.Work<unknown> = async (db, signal, limits) => {
        await insert(db, signal, limits)
        return find(db, signal, limits)
      }
      const reason = mongoReason(yield* Effect.flip(mongo.use(both)))
      assert.strictEqual(reason._tag === "NotPrimary" && reason.sent, "unknown")
      assert.strictEqual(yield* fake.received("insert"), 1)
    }))

  it.live("what was refused before anything was done is repeated, though not idempotent", () =>
    Effect.gen(function*() {
      const { fake, mongo } = yield* faulty({ policy: { retry: { times: 2 } } })
      yield* fake.fail({ command: "insert", times: 1, error: { code: 10_107, codeName: "NotWritablePrimary" } })
      yield* mongo.use(insert)
      assert.strictEqual(yield* fake.received("insert"), 2)
    }))

  it.live("a connection lost after sending is unknown and not repeated, and a write is not done twice", () =>
    Effect.gen(function*() {
      const { fake, mongo } = yield* faulty({ policy: { retry: { times: 3 } } })
      yield* fake.fail({ command: "insert", times: 1, cut: "after" })
      const reason = mongoReason(yield* Effect.flip(mongo.use(insert)))
      assert.strictEqual(reason._tag === "ConnectionLost" && reason.sent, "unknown")
      const count = yield* Operation.idempotent(
        Effect.retry(mongo.use((db, _, limits) => db.collection("books").countDocuments({}, limits)), { times: 3 })
      )
      assert.strictEqual(count, 1)
    }))

  it.live("the driver repeats nothing by itself, unless it is asked to", () =>
    Effect.gen(function*() {
      for (const [reads, received] of [[undefined, 1], [true, 2]] as const) {
        const { fake, mongo } = yield* faulty({ driver: { retry: { reads } } })
        yield* fake.fail({ command: "find", times: 5, error: { code: 91, codeName: "ShutdownInProgress" } })
        yield* Effect.flip(mongo.use(find))
        assert.strictEqual(yield* fake.received("find"), received)
      }
    }))

  it.live("AcquireTimeout: no connection within the wait, with who holds the others", () =>
    Effect.gen(function*() {
      const { fake, mongo } = yield* faulty({
        pool: { size: { min: 0, max: 1 }, wait: { timeout: "100 millis" }, start: "lazy" }
      })
      yield* fake.fail({ command: "find", delay: "2 seconds" })
      yield* Effect.forkScoped(Effect.ignore(mongo.use(hang, { label: "report" })))
      yield* eventually(Effect.map(mongo.stats, ({ used }) => used === 1))
      const error = yield* Effect.flip(mongo.use(insert))
      assert.strictEqual(error._tag, "PoolError")
      if (error.reason._tag !== "AcquireTimeout") return assert.fail(error.message)
      assert.deepStrictEqual([error.reason.phase, error.reason.oldestHolder?.label], ["queue", "report"])
      assert.strictEqual((yield* mongo.stats).timedOut, 1)
    }).pipe(Effect.scoped))

  it.live("QueueFull: more calls than may be under way, refused at once", () =>
    Effect.gen(function*() {
      const { fake, mongo } = yield* faulty({ pool: { size: { min: 0, max: 1 }, wait: { maxWaiting: 1 } } })
      yield* eventually(Effect.map(mongo.stats, ({ idle }) => idle === 1))
      yield* fake.fail({ command: "find", delay: "2 seconds" })
      yield* Effect.forkScoped(Effect.all([Effect.ignore(mongo.use(hang)), Effect.ignore(mongo.use(hang))], {
        concurrency: 2
      }))
      yield* eventually(Effect.map(mongo.stats, ({ used, waiting }) => used === 1 && waiting === 1))
      const error = yield* Effect.flip(mongo.use(insert))
      assert.deepStrictEqual([error._tag, error.reason._tag], ["PoolError", "QueueFull"])
      assert.strictEqual((yield* mongo.stats).refused, 1)
    }).pipe(Effect.scoped))

  it.live("the server is told how long it may take, and ends what takes longer", () =>
    Effect.gen(function*() {
      const { fake, mongo } = yield* faulty({ policy: { timeout: "300 millis", deadline: "5 seconds" } })
      yield* mongo.use(find)
      yield* fake.fail({ command: "find", delay: "10 seconds" })
      const limits = yield* mongo.use((_db, _signal, given) => Promise.resolve(given.maxTimeMS))
      assert.isAtMost(limits, 300)
      // The server is told of less, so that it and not the timeout ends it.
      const sooner: Mongo.Work<unknown> = (db, signal) => db.collection("slow").findOne({}, { signal, maxTimeMS: 50 })
      assert.strictEqual(mongoReason(yield* Effect.flip(mongo.use(sooner)))._tag, "TimeLimit")
    }))

  it.live("AttemptTimeout and DeadlineExceeded end a call in time, and nothing is held after", () =>
    Effect.gen(function*() {
      const { fake, mongo } = yield* faulty({ policy: { timeout: "100 millis", deadline: "5 seconds" } })
      yield* mongo.use(find)
      yield* fake.fail({ command: "find", delay: "10 seconds" })
      const work: Mongo.Work<unknown> = (db, signal) => db.collection("slow").findOne({}, { signal })
      const [took, error] = yield* Effect.timed(Effect.flip(mongo.use(work)))
      assert.isTrue(PolicyError.isPolicyError(error) && error.reason._tag === "AttemptTimeout")
      assert.isBelow(Duration.toMillis(took), 1000)
      yield* eventually(Effect.map(mongo.stats, ({ used, waiting }) => used + waiting === 0))
    }))

  it.live("a call that does not mind its signal ends in time all the same", () =>
    Effect.gen(function*() {
      const { mongo } = yield* faulty({ policy: { timeout: "100 millis", deadline: "5 seconds" } })
      const [took, error] = yield* Effect.timed(
        Effect.flip(mongo.use(() => new Promise((settle) => setTimeout(settle, 1500))))
      )
      assert.strictEqual(error.reason._tag, "AttemptTimeout")
      assert.isBelow(Duration.toMillis(took), 1000)
    }))

  it.live("waits that were given up are counted as cancelled, and no longer as waiting", () =>
    Effect.gen(function*() {
      const { fake, mongo } = yield* faulty({ pool: { size: { min: 0, max: 1 } } })
      yield* eventually(Effect.map(mongo.stats, ({ idle }) => idle === 1))
      yield* fake.fail({ command: "find", delay: "1 second" })
      yield* Effect.forkScoped(Effect.ignore(mongo.use(hang)))
      yield* eventually(Effect.map(mongo.stats, ({ used }) => used === 1))
      const before = (yield* mongo.stats).cancelled
      const waiting = yield* Effect.forkChild(Effect.all(Array.from({ length: 4 }, () => mongo.use(insert)), {
        concurrency: "unbounded"
      }))
      yield* eventually(Effect.map(mongo.stats, (stats) => stats.waiting === 4))
      yield* Fiber.interrupt(waiting)
      const stats = yield* mongo.stats
      assert.deepStrictEqual([stats.waiting, stats.cancelled - before, stats.used], [0, 4, 1])
    }).pipe(Effect.scoped))

  it.live("what the function itself rejects with is kept as it is", () =>
    Effect.gen(function*() {
      const { mongo } = yield* faulty({ pool: { start: "lazy" } })
      const mine = new Error("mine")
      const reason = mongoReason(yield* Effect.flip(mongo.use(() => Promise.reject(mine))))
      assert.deepStrictEqual([reason._tag, reason.cause], ["Rejected", mine])
    }))

  it.live("an open circuit keeps calls away from a server that fails", () =>
    Effect.gen(function*() {
      const { fake, mongo } = yield* faulty({
        policy: { breaker: { window: 4, minimumCalls: 4, openFor: "1 minute" } }
      })
      yield* fake.fail({ command: "find", error: { code: 189, codeName: "PrimarySteppedDown" } })
      for (let n = 0; n < 4; n++) yield* Effect.flip(mongo.use(find))
      const error = yield* Effect.flip(mongo.use(find))
      assert.deepStrictEqual([error._tag, error.reason._tag], ["PolicyError", "CircuitOpen"])
    }))
})
