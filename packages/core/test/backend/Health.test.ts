import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Backends from "../../src/backend/Backends.ts"
import * as Health from "../../src/backend/Health.ts"
import * as Policy from "../../src/policy/Policy.ts"
import { fakeBackend } from "./fakeBackend.ts"

const healthy = Effect.succeed({ status: "healthy" as const, latency: Duration.millis(1.234) })
const sick = Effect.succeed({ status: "unhealthy" as const, latency: Duration.zero, error: new Error("refused") })

describe("health", () => {
  it.effect("tells of each backend what its endpoints show", () =>
    Backends.isolated(Effect.gen(function*() {
      const policy = Policy.make({ breaker: {} })
      yield* Effect.flatMap(
        fakeBackend("orders", {
          health: healthy,
          profile: "staging",
          detail: Effect.succeed({
            times: {},
            holders: [{ age: Duration.millis(1500), label: "report", site: undefined }],
            lastError: { at: 7, error: new Error("ECONNREFUSED") }
          }),
          policy: Effect.sync(() => Policy.snapshot(policy))
        }),
        Backends.register
      )
      yield* Effect.flatMap(
        fakeBackend("cache", {
          health: sick,
          critical: false,
          policy: Effect.sync(() => Policy.snapshot(Policy.make({ bulkhead: { permits: 4, perKey: {} } })))
        }),
        Backends.register
      )
      assert.deepStrictEqual(yield* Health.check(), {
        status: "healthy",
        backends: {
          orders: {
            kind: "fake",
            status: "healthy",
            critical: true,
            profile: "staging",
            latency_ms: 1.2,
            active: 0,
            idle: 0,
            waiting: 0,
            max: 3,
            breaker: "closed",
            limit: undefined,
            error: undefined,
            last_error: { at: 7, message: "ECONNREFUSED" },
            oldest_holder: { age_ms: 1500, label: "report", site: undefined }
          },
          cache: {
            kind: "fake",
            status: "unhealthy",
            critical: false,
            profile: undefined,
            latency_ms: 0,
            active: 0,
            idle: 0,
            waiting: 0,
            max: 3,
            breaker: undefined,
            limit: { limit: 4, running: 0, waiting: 0, keys: 0 },
            error: "refused",
            last_error: undefined,
            oldest_holder: undefined
          }
        }
      })
    })))

  it.effect("is that of the critical backends", () =>
    Backends.isolated(Effect.gen(function*() {
      yield* Effect.flatMap(fakeBackend("orders", { health: sick }), Backends.register)
      yield* Effect.flatMap(fakeBackend("cache", { health: healthy, critical: false }), Backends.register)
      assert.strictEqual((yield* Health.check()).status, "unhealthy")
      assert.deepStrictEqual(Object.keys((yield* Health.check({ criticalOnly: true })).backends), ["orders"])
    })))

  it.effect("asks all at once, and none for longer than its time", () =>
    Backends.isolated(Effect.gen(function*() {
      for (const name of ["a", "b", "c"]) {
        yield* Effect.flatMap(fakeBackend(name, { health: Effect.never }), Backends.register)
      }
      const fiber = yield* Effect.forkChild(Health.check({ timeout: "200 millis" }))
      yield* TestClock.adjust("200 millis")
      const { backends } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(Object.values(backends).map(({ error }) => error), Array(3).fill("no answer within 200ms"))
    })))

  it("refuses a timeout that is none", () => {
    assert.throws(() => Health.check({ timeout: 0 }), RangeError, /timeout/)
  })
})
