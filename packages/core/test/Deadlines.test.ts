import { assert, describe, it } from "@effect/vitest"
import { Clock, type Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { type Deadline, Deadlines } from "../src/internal/deadlines.ts"

const make = Effect.contextWith((context: Context.Context<never>) =>
  Effect.map(Clock.Clock, (clock) => new Deadlines(clock, Effect.runForkWith(context)))
)

describe("deadlines", () => {
  it.effect("fire in the order of their instants, also after most of them were cancelled", () =>
    Effect.gen(function*() {
      const deadlines = yield* make
      const fired: Array<number> = []
      const all = Array.from({ length: 400 }, (_, index): Deadline => ({
        deadlineAt: 0,
        deadlineArmed: false,
        onDeadline: () => fired.push(index)
      }))
      const at = (index: number) => 1 + (index * 157) % 400 // every instant once, in no order
      all.forEach((deadline, index) => deadlines.add(deadline, at(index)))
      const left = all.flatMap((_, index) => index % 3 === 0 ? [index] : [])
      all.forEach((deadline, index) => index % 3 !== 0 && deadlines.cancel(deadline))
      yield* TestClock.adjust(200)
      const due = left.filter((index) => at(index) <= 200)
      assert.deepStrictEqual(fired, due.toSorted((a, b) => at(a) - at(b)))
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(fired, left.toSorted((a, b) => at(a) - at(b)))
    }))
})
