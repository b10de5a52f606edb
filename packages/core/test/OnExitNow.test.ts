/** Both ways of taking something in one operation do the same, and the short one is the one that is used. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Scheduler } from "effect"
import { composed, onExitNow, pushed, type Taking } from "../src/internal/onExitNow.ts"
import { yieldAt } from "./support/interrupts.ts"

const tally = () => ({ taken: 0, left: 0, exits: [] as Array<string> })

const taking = <A, E, E2 = never>(
  counts: ReturnType<typeof tally>,
  work: () => Effect.Effect<A, E>,
  instead?: Effect.Effect<never, E2>
): Taking<A, E, never, E2> => ({
  begin: () => {
    counts.taken++
    return work()
  },
  leave: (exit) => {
    counts.left++
    counts.exits.push(exit._tag)
    return instead
  }
})

it("the short way is taken with this version of Effect", () => {
  assert.strictEqual(onExitNow, pushed)
})

describe.each([["pushed", pushed], ["composed", composed]] as const)("%s", (_, way) => {
  const run = <A, E, E2>(one: Taking<A, E, never, E2>) => Effect.withFiber((fiber) => way(fiber, one))

  it.effect("gives what the work gives, and leaves once with its exit", () =>
    Effect.gen(function*() {
      const counts = tally()
      assert.strictEqual(yield* run(taking(counts, () => Effect.succeed(1))), 1)
      assert.strictEqual(yield* run(taking(counts, () => Effect.delay(Effect.succeed(2), 0))), 2)
      assert.strictEqual(yield* Effect.flip(run(taking(counts, () => Effect.fail("no")))), "no")
      const bug = yield* Effect.exit(run(taking(counts, (): Effect.Effect<void> => {
        throw new Error("bug")
      })))
      assert.isTrue(Exit.isFailure(bug) && Cause.hasDies(bug.cause))
      assert.deepStrictEqual(counts, { taken: 4, left: 4, exits: ["Success", "Success", "Failure", "Failure"] })
    }))

  it.effect("puts what leaving gives in the place of a failure, and not of a success", () =>
    Effect.gen(function*() {
      const counts = tally()
      const instead = Effect.fail("instead")
      const exit = yield* Effect.exit(run(taking(counts, () => Effect.fail("work"), instead)))
      assert.deepStrictEqual(exit, Exit.fail("instead"))
      assert.strictEqual(yield* run(taking(counts, () => Effect.succeed(1), instead)), 1)
      const nested = run(
        taking(counts, () => run(taking(counts, () => Effect.fail("work"), Effect.fail("inner"))), instead)
      )
      assert.deepStrictEqual(yield* Effect.exit(nested), Exit.fail("instead"))
      assert.strictEqual(counts.left, 4)
    }))

  it.effect("leaves what it has taken when the interrupt lands at any operation, and nobody goes on", () =>
    Effect.gen(function*() {
      for (let at = 0;; at++) {
        const counts = tally()
        let wentOn = 0
        const scheduler = yieldAt(at)
        const inner = run(taking(counts, () => Effect.andThen(Effect.void, Effect.yieldNow), Effect.fail("instead")))
        const fiber = yield* Effect.forkChild(
          Effect.andThen(run(taking(counts, () => inner)), Effect.sync(() => wentOn++)).pipe(
            Effect.provideService(Scheduler.Scheduler, scheduler)
          ),
          { startImmediately: true }
        )
        yield* Fiber.interrupt(fiber)
        if (way === pushed) assert.strictEqual(counts.left, counts.taken)
        assert.isAtLeast(counts.left, counts.taken)
        assert.strictEqual(wentOn, 0)
        if (scheduler.operations() < at) break
      }
    }))
})
