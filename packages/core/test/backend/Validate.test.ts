import { Policy, Pool, Validate } from "@breakwater/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

describe("Options that are handed on", () => {
  it("are refused by the path at which they were given", () => {
    const made = () => Pool.make({ name: "orders", acquire: Effect.void, size: { max: 0 } })
    const message = "Option \"db.pool.size.max\" is 0; allowed is a whole number of 1 or more."
    assert.throws(() => Validate.within("db", () => Validate.within("pool", made)), RangeError, message)
    for (
      const [path, options] of [
        ["retry.times", { retry: { times: -1 } }],
        ["breaker.window", { breaker: { window: 0 } }],
        ["bulkhead.permits", { bulkhead: { permits: 0 } }],
        ["hedge.after", { hedge: { after: 0 } }]
      ] as const
    ) {
      assert.throws(() => Policy.make({ name: "orders", ...options }), RangeError, `Option "${path}" is`)
    }
  })

  it("keep every other throw as it is", () => {
    const mine = new RangeError("mine")
    const thrown = (): never => {
      throw mine
    }
    try {
      Validate.within("db", thrown)
      assert.fail("it did not throw")
    } catch (error) {
      assert.strictEqual(error, mine)
    }
    assert.strictEqual(Validate.within("db", () => 1), 1)
  })
})
