import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Conformance } from "../../src/index.ts"
import { breakwater } from "../conformance/breakwater.ts"

/** Behaviours that the pool does not have yet. */
const toCome = new Set([16])

describe("the pool shows", () => {
  for (const { name, number } of Conformance.behaviours.filter((each) => !toCome.has(each.number))) {
    it.live(`${number}. ${name}`, () =>
      Effect.gen(function*() {
        const { verdicts: [verdict] } = yield* Conformance.run(breakwater, { only: [number] })
        assert.strictEqual(verdict?.result, "pass", verdict?.reason)
      }))
  }
})
