/**
 * A rolling restart that no client notices: two instances behind a balancer, restarted one after the other, at 200
 * requests a second. Reads DATABASE_URL.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Config, Effect } from "effect"
import * as Restart from "./Restart.ts"

const ROUNDS = 2
const RATE = 200

const program = Effect.gen(function*() {
  const DATABASE_URL = yield* Config.String("DATABASE_URL")
  for (let round = 1; round <= ROUNDS; round++) {
    const outcome = yield* Effect.scoped(Restart.run({ env: { DATABASE_URL }, rate: RATE, say: console.log }))
    const { exitCodes, failed, requests, slowest } = outcome
    console.log(
      `round ${round}: ${requests} requests, ${failed.length} failed, slowest ${slowest} ms, exit ${exitCodes.join()}`
    )
    if (failed.length > 0) return yield* Effect.fail(new Error(failed[0]))
  }
})

await program.pipe(Effect.provide(NodeServices.layer), Effect.runPromise)
