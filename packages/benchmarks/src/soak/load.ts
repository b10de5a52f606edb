/** Callers of every kind, twice as many as the pool can serve. */
import * as Pool from "@breakwater/core/Pool"
import * as PoolError from "@breakwater/core/PoolError"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type { Client } from "./server.ts"

export const SIZE = 20
const LEAST_SERVICE_MS = 10
const MOST_SERVICE_MS = 30
const TURN_MS = 10

const capacityPerSecond = SIZE * 1000 / ((LEAST_SERVICE_MS + MOST_SERVICE_MS) / 2)
const callersPerTurn = 2 * capacityPerSecond * TURN_MS / 1000

export const serviceMillis = (): number => LEAST_SERVICE_MS + (MOST_SERVICE_MS - LEAST_SERVICE_MS) * Math.random()

type Caller = (pool: Pool.Pool<Client>, options: Pool.UseOptions) => Effect.Effect<unknown, unknown>

const plain: Caller = (pool, options) => Pool.use(pool, (client) => client.request, options)

const callers: ReadonlyArray<readonly [share: number, caller: Caller]> = [
  [0.7, plain],
  [0.1, (pool, options) => Effect.scoped(Effect.flatMap(Pool.get(pool, options), (client) => client.request))],
  [
    0.1,
    (pool, options) =>
      Effect.flatMap(Random.nextBetween(1, 200), (millis) => Effect.timeout(plain(pool, options), millis))
  ],
  [0.05, (pool, options) => Pool.use(pool, () => plain(pool, options), options)],
  [
    0.05,
    (pool, options) =>
      Pool.use(pool, (client) => Effect.andThen(client.request, Pool.invalidate(pool, client)), options)
  ]
]

const pick = (share: number): Caller => {
  let left = share
  return (callers.find(([part]) => (left -= part) < 0) ?? callers[0]!)[1]
}

/** How calls ended, by name, and how many have not. */
export class Tally {
  pending = 0
  readonly ended: Record<string, number> = {}

  add(exit: Exit.Exit<unknown, unknown>): void {
    this.pending--
    const name = nameOf(exit)
    this.ended[name] = (this.ended[name] ?? 0) + 1
  }
}

const nameOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "served"
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (PoolError.isPoolError(error)) return error.reason._tag
  return error instanceof Error ? error.name : "interrupted"
}

/** Calls, whatever becomes of the calls before, until it is interrupted. */
export const call = (pool: Pool.Pool<Client>, tally: Tally): Effect.Effect<never> => {
  const one = Effect.gen(function*() {
    tally.pending++
    const options = { key: `${yield* Random.nextIntBetween(0, 3)}`, priority: yield* Random.nextIntBetween(0, 1) }
    const exit = yield* Effect.exit(pick(yield* Random.next)(pool, options))
    tally.add(exit)
  })
  return Effect.gen(function*() {
    const began = yield* Clock.currentTimeMillis
    let called = 0
    return yield* Effect.forever(Effect.gen(function*() {
      yield* Effect.sleep(TURN_MS)
      const due = ((yield* Clock.currentTimeMillis) - began) / TURN_MS * callersPerTurn
      // Late turns are caught up with in part: what a stalled machine owes is not a load that anybody has.
      const most = Math.min(due - called, 5 * callersPerTurn)
      called = Math.max(called + most, due - callersPerTurn)
      for (let n = 0; n < most; n++) yield* Effect.forkDetach(one)
    }))
  })
}
