import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Operation from "../src/policy/Operation.ts"

const marked = Effect.withFiber((fiber) => Effect.succeed(Operation.isMarkedIdempotent(fiber.context)))

describe("Operation", () => {
  it("keeps what it is made of", () => {
    assert.deepStrictEqual(Operation.make("orders.read", { idempotent: true, key: "shop-1", priority: 2 }), {
      name: "orders.read",
      idempotent: true,
      key: "shop-1",
      priority: 2
    })
  })

  it.effect("marks the piece of program it is given, forked parts included, and nothing after it", () =>
    Effect.gen(function*() {
      assert.isFalse(yield* marked)
      assert.isTrue(yield* Operation.idempotent(marked))
      assert.deepStrictEqual(
        yield* Operation.idempotent(Effect.all([marked, marked], { concurrency: 2 })),
        [true, true]
      )
      assert.isFalse(yield* marked)
    }))
})
