/** Calls that need no server, on virtual time. */
import { Operation } from "@breakwater/core"
import { Mongo, MongoOutcome } from "@breakwater/mongodb"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { open } from "./utils/database.ts"

const lazy = (options: Parameters<typeof open>[1] = {}) =>
  open(Redacted.make("mongodb://127.0.0.1:9/shop"), { pool: { start: "lazy" }, ...options })

describe("use", () => {
  it.effect("gives each operation what is left of the timeout, and of an outer deadline", () =>
    Effect.gen(function*() {
      const mongo = yield* lazy({ policy: { timeout: "2 seconds", deadline: "3 seconds" } })
      let goOn = () => {}
      const paused = new Promise<void>((run) => {
        goOn = run
      })
      const call = yield* Effect.forkChild(
        mongo.use(async (_db, _signal, limits) => {
          const first = limits.maxTimeMS
          await paused
          return [first, limits.maxTimeMS]
        }),
        { startImmediately: true }
      )
      yield* TestClock.adjust("1500 millis")
      goOn()
      assert.deepStrictEqual(yield* Fiber.join(call), [2000, 500])
    }))

  it.effect("gets other times while it runs, of which its operations are told, too", () =>
    Effect.gen(function*() {
      const { backend, use } = yield* lazy({ policy: { timeout: "2 seconds", deadline: "3 seconds" } })
      const told = use(async (_db, _signal, limits) => limits.maxTimeMS)
      assert.strictEqual(yield* told, 2000)
      backend.update?.({ timeout: "1 second" })
      assert.strictEqual(yield* told, 1000)
      assert.throws(
        () => backend.update?.({ timeout: "1 milli", breaker: { window: 0 } }),
        RangeError,
        "breaker.window"
      )
      assert.deepInclude(backend.limits, { timeout: Duration.seconds(1), deadline: Duration.seconds(3) })
      yield* backend.breaker?.setMode("forcedOpen") ?? Effect.void
      assert.strictEqual((yield* Effect.flip(told)).reason._tag, "CircuitOpen")
      yield* backend.breaker?.setMode("automatic") ?? Effect.void
      assert.strictEqual(yield* told, 1000)
    }))

  it.effect("ends a call at its deadline, aborts its signal, and says whether anything was sent", () =>
    Effect.gen(function*() {
      const mongo = yield* lazy({ policy: { deadline: "1 second" } })
      const signals: Array<AbortSignal> = []
      const work: Mongo.Work<void> = (_, signal) =>
        new Promise((settle) => {
          signals.push(signal)
          signal.addEventListener("abort", () => settle())
        })
      const call = yield* Effect.forkChild(Effect.flip(mongo.use(work, { label: "shop.report" })), {
        startImmediately: true
      })
      yield* TestClock.adjust("1 second")
      const { reason } = yield* Fiber.join(call)
      assert.strictEqual(reason._tag === "DeadlineExceeded" && reason.operation, "shop.report")
      assert.isTrue(signals[0]?.aborted)
    }))

  it.effect("cuts what still runs at the end of a drain, and says who it was and for how long", () =>
    Effect.gen(function*() {
      const mongo = yield* lazy()
      const call = yield* Effect.forkChild(
        Effect.flip(mongo.use(() => new Promise(() => {}), { label: "shop.stuck" })),
        { startImmediately: true }
      )
      const patient = yield* Effect.forkChild(mongo.backend.drain("1 hour"), { startImmediately: true })
      const drain = yield* Effect.forkChild(mongo.backend.drain("2 seconds"), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(patient)).cut.length, 1)
      const { cut, took } = yield* Fiber.join(drain)
      assert.deepStrictEqual(cut.map(({ age, label }) => [label, Duration.toMillis(age)]), [["shop.stuck", 2000]])
      assert.strictEqual(Duration.toMillis(took), 2000)
      assert.deepStrictEqual((yield* Fiber.join(call)).reason._tag, "Revoked")
    }))

  it.effect("bounds the calls under way, also those that have given up on work that does not end", () =>
    Effect.gen(function*() {
      const mongo = yield* lazy({ pool: { start: "lazy", size: { min: 0, max: 1 }, wait: { maxWaiting: 1 } } })
      for (let n = 0; n < 2; n++) {
        const call = yield* Effect.forkChild(mongo.use(() => new Promise(() => {})), { startImmediately: true })
        const ended = yield* Effect.forkChild(Fiber.interrupt(call), { startImmediately: true })
        yield* TestClock.adjust("100 millis")
        yield* Fiber.join(ended)
      }
      const error = yield* Effect.flip(mongo.use(() => Promise.resolve()))
      assert.deepStrictEqual([error._tag, error.reason._tag], ["PoolError", "QueueFull"])
      yield* TestClock.adjust("10 seconds")
      const drain = yield* Effect.forkChild(mongo.backend.drain(0), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(drain)
    }))

  it.effect("does not repeat what the program itself rejected with, and counts it for nobody", () =>
    Effect.gen(function*() {
      const mongo = yield* lazy({ policy: { retry: { times: 3 } } })
      let calls = 0
      const exit = yield* Effect.exit(Operation.idempotent(mongo.use(() => {
        calls++
        throw new Error("mine")
      })))
      assert.strictEqual(calls, 1)
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(MongoOutcome.fromExit(exit), { _tag: "Ignored", sent: "unknown" })
      assert.strictEqual(MongoOutcome.fromExit(Exit.void)._tag, "Success")
      assert.deepStrictEqual(MongoOutcome.fromExit(Exit.interrupt(1)), { _tag: "Ignored", sent: "unknown" })
    }))
})
