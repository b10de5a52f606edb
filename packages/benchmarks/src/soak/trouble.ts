/** What goes wrong during a soak, one thing after the other. */
import * as Pool from "@breakwater/core/Pool"
import type { FaultProxy } from "@breakwater/testing"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { SIZE } from "./load.ts"
import type { Client } from "./server.ts"

const between = (least: number, most: number) => Random.nextBetween(least, most)

type Trouble = (proxy: FaultProxy.FaultProxy, pool: Pool.Pool<Client>) => Effect.Effect<unknown, unknown>

/** A fault that lasts, and goes away. */
const passing =
  (begin: (proxy: FaultProxy.FaultProxy) => Effect.Effect<void>, least: number, most: number): Trouble => (proxy) =>
    begin(proxy).pipe(
      Effect.andThen(Effect.flatMap(between(least, most), (millis) => Effect.sleep(millis))),
      Effect.andThen(proxy.restore)
    )

const troubles: Readonly<Record<string, Trouble>> = {
  cut: (proxy) => proxy.cut,
  reset: (proxy) => proxy.reset,
  delay: passing((proxy) => proxy.delay("50 millis"), 500, 2000),
  "black hole": passing((proxy) => proxy.blackHole, 200, 3000),
  "hang up, then refuse": passing((proxy) => Effect.andThen(proxy.reset, proxy.refuse), 200, 3000),
  clear: (_, pool) => Pool.clear(pool),
  "clear, interrupting": (_, pool) => Pool.clear(pool, { interrupt: true }),
  pause: (_, pool) =>
    Pool.pause(pool).pipe(
      Effect.andThen(Effect.sleep("500 millis")),
      Effect.andThen(Pool.resume(pool))
    ),
  resize: (_, pool) =>
    Effect.flatMap(Random.nextIntBetween(3, SIZE), (max) => Pool.resize(pool, { min: 2, max })).pipe(
      Effect.andThen(Effect.sleep("1 second")),
      Effect.andThen(Pool.resize(pool, { min: 2, max: SIZE }))
    )
}

/** Troubles after quiet times of up to two seconds, until it is interrupted. Counts them. */
export const makeTrouble = (
  proxy: FaultProxy.FaultProxy,
  pool: Pool.Pool<Client>,
  seen: Record<string, number>
): Effect.Effect<never, unknown> =>
  Effect.forever(Effect.gen(function*() {
    yield* Effect.sleep(yield* between(200, 2000))
    const [name, trouble] = yield* Random.choice(Object.entries(troubles))
    seen[name] = (seen[name] ?? 0) + 1
    yield* trouble(proxy, pool)
  }))
