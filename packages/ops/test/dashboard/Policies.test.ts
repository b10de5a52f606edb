import { assert, describe, it } from "@effect/vitest"
import { chipsOf } from "../../src/internal/dashboard/client/policies.ts"
import { backend } from "./stats.ts"

const bulkhead = (state: { readonly running: number; readonly waiting: number; readonly keys?: number }) =>
  chipsOf(backend({ policy: { bulkhead: { permits: 5, ...state } } }).policy)

describe("what the page says of a bulkhead", () => {
  it("has its permits, or those of each key", () => {
    assert.deepStrictEqual(bulkhead({ running: 3, waiting: 0 }), [
      { name: "Bulkhead", value: "3 of 5", tone: "calm" }
    ])
    assert.deepStrictEqual(bulkhead({ running: 12, waiting: 2, keys: 4 }), [
      { name: "Bulkhead", value: "12 on 4 keys, 5 each, 2 waiting", tone: "strained" }
    ])
  })
})
