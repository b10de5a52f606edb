import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Backend from "../../src/backend/Backend.ts"

describe("The health by a round trip", () => {
  it.effect("is how long it took, or why there was none", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Backend.probe(Effect.sleep("20 millis")))
      yield* TestClock.adjust("20 millis")
      assert.deepStrictEqual(yield* Fiber.join(fiber), { status: "healthy", latency: Duration.millis(20) })
      for (const error of ["refused", undefined]) {
        assert.deepStrictEqual(yield* Backend.probe(Effect.fail(error)), {
          status: "unhealthy",
          latency: Duration.zero,
          error
        })
      }
    }))

  it.effect("takes a second at most", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Backend.probe(Effect.never))
      yield* TestClock.adjust("1 second")
      const { latency, status } = yield* Fiber.join(fiber)
      assert.deepStrictEqual([status, latency], ["unhealthy", Duration.seconds(1)])
    }))
})
