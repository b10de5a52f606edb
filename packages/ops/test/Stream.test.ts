import * as Backends from "@breakwater/core/Backends"
import * as Pool from "@breakwater/core/Pool"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Pull, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { HealthChecks } from "../src/internal/health.ts"
import type { Sources } from "../src/internal/stats.ts"
import * as LiveStream from "../src/internal/stream.ts"
import { Windows } from "../src/internal/window.ts"
import * as OpsStats from "../src/OpsStats.ts"
import { backend } from "./support.ts"

const sources = Effect.map(HealthChecks.make, (checks): Sources => ({
  service: "shop",
  startedAt: 0,
  phase: Effect.succeed(null),
  windows: new Windows(),
  checks
}))

/** Opens a reader; gives what takes the next frame. */
const reader = Effect.fnUntraced(function*(places: LiveStream.Places) {
  const context = yield* Effect.context<never>()
  const response = yield* LiveStream.answer(yield* sources, places, context)
  if (response.body._tag !== "Stream") return { status: response.status, next: Effect.succeed(Option.none<string>()) }
  const pull = yield* Stream.toPull(response.body.stream)
  const next = pull.pipe(
    Effect.map((parts) => Option.some(parts.map((part) => new TextDecoder().decode(part)).join(""))),
    Pull.catchDone(() => Effect.succeed(Option.none<string>())),
    Effect.orDie
  )
  return { status: response.status, next }
})

const run = <A, E>(effect: Effect.Effect<A, E, import("effect/Scope").Scope>) =>
  Effect.scoped(Backends.isolated(effect))

describe("the stream", () => {
  it.effect("lets go of a reader that takes nothing any more, and gives his place to the next", () =>
    run(Effect.gen(function*() {
      yield* backend("orders")
      const places = new LiveStream.Places(1)
      // In a fiber of its own: it is the one that the reader's request runs in.
      const request = yield* Effect.forkChild(
        Effect.scoped(Effect.andThen(Effect.flatMap(reader(places), ({ next }) => next), Effect.never)),
        { startImmediately: true }
      )
      assert.isTrue(places.isFull)
      assert.strictEqual((yield* reader(places)).status, 503)
      yield* TestClock.adjust("14 seconds")
      assert.isTrue(places.isFull)
      yield* TestClock.adjust("3 seconds")
      assert.isFalse(places.isFull)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(request)))
      assert.isTrue(Option.isSome(yield* (yield* reader(places)).next))
    })))

  it.effect("keeps who takes each frame, however long", () =>
    run(Effect.gen(function*() {
      yield* backend("orders")
      const places = new LiveStream.Places(1)
      const { next } = yield* reader(places)
      yield* next
      for (let n = 0; n < 60; n++) {
        const frame = yield* Effect.forkChild(next, { startImmediately: true })
        yield* TestClock.adjust("1 second")
        assert.isTrue(Option.isSome(yield* Fiber.join(frame)))
      }
      assert.isTrue(places.isFull)
    })))

  it.effect("tells a slow reader how much it has missed", () =>
    run(Effect.gen(function*() {
      const { pool } = yield* backend("orders")
      const { next } = yield* reader(new LiveStream.Places(1))
      yield* next
      for (let n = 0; n < 100; n++) {
        yield* Pool.pause(pool)
        yield* Pool.resume(pool)
        yield* Pool.resize(pool, { min: 0, max: 3 })
        // The events go out in a later turn.
        yield* Effect.yieldNow
      }
      const frame = yield* Effect.forkChild(next, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      const text = Option.getOrElse(yield* Fiber.join(frame), () => "")
      const [, json] = /event: events\ndata: (.*)\n/.exec(text) ?? []
      const { dropped, events } = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(OpsStats.Happenings))(json)
      assert.deepStrictEqual([events.length, dropped], [256, 44])
      assert.strictEqual(events.at(-1)?.tag, "Resized")
      // What is told of how things stand includes them.
      assert.isBelow(text.indexOf("event: events"), text.indexOf("event: stats"))
    })))
})
