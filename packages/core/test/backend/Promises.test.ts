import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit } from "effect"
import * as Promises from "../../src/backend/Promises.ts"

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(() => assert.fail("it resolved"), (error: unknown) => error)

const service = {
  stats: Effect.succeed(7),
  health: Effect.succeed({ status: "healthy" as const, latency: Duration.zero }),
  double: (n: number) => Effect.succeed(2 * n)
}

describe("A backend as promises", () => {
  it.effect("runs from its start to its only close", () =>
    Effect.promise(async () => {
      const gate = Promise.withResolvers<void>()
      let closed = 0
      const finalizer = Effect.andThen(Effect.promise(() => gate.promise), Effect.sync(() => closed++))
      const make = Effect.as(Effect.addFinalizer(() => finalizer), service)
      const started = await Promises.start(make, ({ double }) => ({ double }), undefined)
      assert.strictEqual(await Promises.run(started.client.double(4), undefined), 8)
      assert.deepStrictEqual([await started.stats(), (await started.health()).status], [7, "healthy"])
      const ends = [started.close(), started.close(), started[Symbol.asyncDispose]()]
      const first = await Promise.race([
        ...ends,
        new Promise((resolve) => setImmediate(() => resolve("still closing")))
      ])
      assert.deepStrictEqual([first, closed], ["still closing", 0])
      gate.resolve()
      await Promise.all(ends)
      assert.strictEqual(closed, 1)
    }))

  it.effect("rejects with the typed error, and with the reason of the signal that ended it", () =>
    Effect.promise(async () => {
      assert.strictEqual(await rejection(Promises.run(Effect.fail("typed"), undefined)), "typed")
      const controller = new AbortController()
      const running = rejection(Promises.run(Effect.never, { signal: controller.signal }))
      controller.abort("enough")
      assert.strictEqual(await running, "enough")
      let begun = false
      const late = Promises.run(Effect.sync(() => begun = true), { signal: controller.signal })
      assert.strictEqual(await rejection(late), "enough")
      assert.isFalse(begun)
    }))

  it.effect("closes what was opened when its start fails", () =>
    Effect.promise(async () => {
      const exits: Array<boolean> = []
      const make = Effect.andThen(
        Effect.addFinalizer((exit) => Effect.sync(() => exits.push(Exit.isFailure(exit)))),
        Effect.as(Effect.fail("no server"), service)
      )
      assert.strictEqual(await rejection(Promises.start(make, () => ({}), undefined)), "no server")
      assert.deepStrictEqual(exits, [true])
    }))
})
