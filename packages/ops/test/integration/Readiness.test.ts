import * as Backends from "@breakwater/core/Backends"
import * as Lifecycle from "@breakwater/core/Lifecycle"
import { OpsHealth } from "@breakwater/ops"
import { Postgres } from "@breakwater/postgres"
import { PostgresServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Schedule, Schema } from "effect"
import { serve } from "../support.ts"

class Orders extends Postgres.Service<Orders>()("orders") {}

/** Longer than an answer may be a moment old. */
const A_CHECK_LATER = "150 millis"

const LIMIT = "20 seconds"

const ask = (url: string) =>
  Effect.tryPromise(async (signal) => {
    const response = await fetch(url, { signal })
    return { status: response.status, body: await response.text() }
  }).pipe(Effect.timeout(LIMIT))

const until = (url: string, status: number) =>
  ask(url).pipe(
    Effect.repeat({ until: (answer) => answer.status === status, schedule: Schedule.spaced("20 millis") }),
    Effect.timeout(LIMIT)
  )

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(OpsHealth.Ready))

describe.skipIf(!TestPostgres.ownAvailable)("readiness", () => {
  it.live(
    "goes with a critical backend and comes back with it, and liveness never moves",
    () =>
      Effect.scoped(Backends.isolated(Effect.gen(function*() {
        const server = yield* PostgresServer.make({ sources: PostgresServer.ownSources })
        const database = Orders.layer({ url: server.url, pool: { size: { min: 1, max: 4 } } })
        const context = yield* Layer.build(Layer.provideMerge(Lifecycle.layer(), database))
        const url = yield* Effect.provideContext(serve(), context)
        const live: Array<number> = []
        yield* ask(`${url}/health/live`).pipe(
          Effect.map(({ status }) => live.push(status)),
          Effect.repeat(Schedule.spaced("25 millis")),
          Effect.forkScoped
        )
        yield* until(`${url}/health/ready`, 200)
        const waits: Array<number> = []
        for (let round = 0; round < 2; round++) {
          yield* server.kill
          yield* Effect.sleep(A_CHECK_LATER)
          const down = yield* ask(`${url}/health/ready`)
          assert.strictEqual(down.status, 503)
          assert.deepStrictEqual((yield* decode(down.body)).backends, { orders: "unhealthy" })
          yield* server.start
          const since = yield* Clock.currentTimeMillis
          yield* until(`${url}/health/ready`, 200)
          waits.push((yield* Clock.currentTimeMillis) - since)
        }
        yield* Effect.logInfo(`Ready again after ${waits.join(" and ")} ms`)
        assert.isAbove(live.length, 10)
        assert.deepStrictEqual(live.filter((status) => status !== 200), [])
      }))),
    60_000
  )
})
