import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Conformance } from "../../src/index.ts"
import { breakwater } from "../conformance/breakwater.ts"

describe("the pool shows", () => {
  for (const { name, number } of Conformance.behaviours) {
    it.live(`${number}. ${name}`, () =>
      Effect.gen(function*() {
        const { verdicts: [verdict] } = yield* Conformance.run(breakwater, { only: [number] })
        assert.strictEqual(verdict?.result, "pass", verdict?.reason)
      }))
  }
})
