import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Monotonic from "../../src/backend/Monotonic.ts"

describe("The monotonic clock", () => {
  it.effect("is moved by a TestClock, by fractions of a millisecond too", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const since = Monotonic.millis(clock)
      yield* TestClock.adjust("1500 micros")
      assert.strictEqual(Monotonic.millis(clock) - since, 1.5)
    }))

  it.live("shows what Effect's live clock shows", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const before = Number(clock.monotonicTimeNanosUnsafe()) / 1e6
      const now = Monotonic.millis(clock)
      const after = Number(clock.monotonicTimeNanosUnsafe()) / 1e6
      // Two readings of the same hand, which rounding may part.
      assert.isAtLeast(now, before - 1)
      assert.isAtMost(now, after + 1)
    }))
})
