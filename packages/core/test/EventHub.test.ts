import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Stream } from "effect"
import { EventHub } from "../src/internal/eventHub.ts"

describe("events", () => {
  it.effect("are not even published while nobody listens", () =>
    Effect.gen(function*() {
      const hub = yield* EventHub.make<number>()
      assert.isUndefined(hub.publish)
      const listener = yield* Effect.forkChild(Stream.runDrain(hub.stream), { startImmediately: true })
      assert.isDefined(hub.publish)
      yield* Fiber.interrupt(listener)
      assert.isUndefined(hub.publish)
    }))

  it.effect("are lost, the oldest first, by a listener that lags more than 1,024 behind", () =>
    Effect.gen(function*() {
      const hub = yield* EventHub.make<number>()
      const gate = yield* Latch.make()
      const listener = yield* hub.stream.pipe(
        Stream.tap(() => gate.await),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      for (let i = 1; i <= 2000; i++) hub.publish?.(i)
      yield* hub.end
      yield* gate.open
      const seen = yield* Fiber.join(listener)
      assert.strictEqual(seen.at(-1), 2000)
      assert.isAtMost(seen.length, 1026)
      assert.deepStrictEqual(seen.slice(-1000), Array.from({ length: 1000 }, (_, i) => 1001 + i))
    }))

  it.effect("of single calls are built for who listens to all, and not for who listens to changes", () =>
    Effect.gen(function*() {
      const hub = yield* EventHub.make<string>()
      const changes = yield* Effect.forkChild(Stream.runCollect(hub.changes), { startImmediately: true })
      assert.strictEqual(typeof hub.publishEach, "undefined")
      hub.publish?.("before")
      const all = yield* Effect.forkChild(Stream.runCollect(hub.stream), { startImmediately: true })
      hub.publish?.("change")
      hub.publishEach?.("call")
      yield* hub.end
      assert.deepStrictEqual(yield* Fiber.join(changes), ["before", "change"])
      assert.deepStrictEqual(yield* Fiber.join(all), ["change", "call"])
      assert.isUndefined(hub.publish)
    }))
})
