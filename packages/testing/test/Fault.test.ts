import { Fault } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

describe("Fault.delay", () => {
  it.effect.each(["Infinity", "-1 millis"] as const)(
    "rejects %s, which is no time to wait",
    (duration) => Effect.sync(() => assert.throws(() => Fault.delay(duration), RangeError))
  )
})
