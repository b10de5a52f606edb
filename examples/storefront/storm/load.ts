/** The client under way, and what a person sees of it. */
import { Clock, Effect, Fiber, Schema, Stream } from "effect"
import * as Child from "./Child.ts"
import { Batch } from "./Sample.ts"
import type { Scene } from "./Scene.ts"
import * as Screen from "./Screen.ts"
import type { Watch } from "./Watch.ts"

/** Requests at a fixed rate from a process of its own, seen by `watch`. `stop` waits for those in flight. */
export const start = Effect.fnUntraced(function*(scene: Scene, watch: Watch, rate: number) {
  const client = yield* Child.start("client.ts", { args: [scene.url, String(rate)], patience: "1 second" })
  const seen = yield* client.lines.pipe(
    Stream.mapEffect((line) => Schema.decodeUnknownEffect(Batch)(line)),
    Stream.runForEach((batch) => Effect.sync(() => batch.forEach((sample) => watch.see(sample)))),
    Effect.forkScoped
  )
  return { stop: Effect.andThen(client.endInput, Fiber.join(seen)) }
})

/** A line a second, until interrupted. */
export const show = Effect.fnUntraced(function*(scene: Scene, watch: Watch) {
  const began = yield* Clock.currentTimeMillis
  for (let at = 1;; at++) {
    yield* sleepUntil(began + at * 1000)
    const tally = watch.nextSecond()
    console.log(Screen.second(at, watch.what, tally, yield* scene.stats))
  }
})

export const sleepUntil = Effect.fnUntraced(function*(instant: number) {
  yield* Effect.sleep(Math.max(0, instant - (yield* Clock.currentTimeMillis)))
})
