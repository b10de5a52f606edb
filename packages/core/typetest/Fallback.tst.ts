import { Data, Effect } from "effect"
import { describe, expect, test } from "tstyche"
import * as Fallback from "../src/policy/Fallback.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Policy from "../src/policy/Policy.ts"
import type { CircuitOpen, PolicyError } from "../src/policy/PolicyError.ts"

class Down extends Data.TaggedError("Down") {}
class NotFound extends Data.TaggedError("NotFound") {}

const read = Operation.make("read", { idempotent: true })
declare const work: Effect.Effect<number, Down | NotFound>

describe("Fallback.apply", () => {
  test("takes all errors away, or those with the tags given", () => {
    expect(Fallback.apply(work, Fallback.value("none"), read)).type.toBe<Effect.Effect<number | "none">>()
    expect(work.pipe(Fallback.apply(Fallback.value(0, { on: ["Down"] }), read))).type.toBe<
      Effect.Effect<number, NotFound>
    >()
    const guarded = Policy.apply(work, Policy.make({ breaker: {} }), read)
    expect(guarded).type.toBe<Effect.Effect<number, Down | NotFound | PolicyError<CircuitOpen>>>()
    expect(Fallback.apply(guarded, Fallback.value(0, { on: ["PolicyError", "Down"] }), read)).type.toBe<
      Effect.Effect<number, NotFound>
    >()
  })

  test("takes errors without a tag away too, where it is for all", () => {
    const untagged = Effect.fail("down")
    expect(Fallback.apply(untagged, Fallback.value(0), read)).type.toBe<Effect.Effect<0>>()
    expect(Fallback.apply(untagged, Fallback.value(0, { on: ["Down"] }), read)).type.toBe<Effect.Effect<0, string>>()
  })

  test("adds what the other effect fails with", () => {
    expect(Fallback.apply(work, Fallback.effect(Effect.fail("empty")), read)).type.toBe<
      Effect.Effect<number, string>
    >()
  })

  test("keeps errors where there may be no value, and refuses a value of another type", () => {
    expect(Fallback.apply(work, Fallback.stale<number>({ within: "1 minute" }), read)).type.toBe<
      Effect.Effect<number, Down | NotFound>
    >()
    expect(Fallback.apply).type.not.toBeCallableWith(work, Fallback.stale<string>({ within: 1 }), read)
  })
})
