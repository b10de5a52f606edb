import { PostgresServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import * as Restart from "../Restart.ts"

describe.skipIf(!TestPostgres.available)("a rolling restart", () => {
  layer(Layer.mergeAll(TestPostgres.layer, NodeServices.layer), { excludeTestServices: true })((it) => {
    it.effect("fails no request", () =>
      Effect.gen(function*() {
        const { url } = yield* PostgresServer.PostgresServer
        const { exitCodes, failed, requests } = yield* Restart.run({
          env: { DATABASE_URL: Redacted.value(url), DRAIN_GRACE: "1500 millis" },
          rate: 50
        })
        assert.deepStrictEqual(failed, [])
        assert.deepStrictEqual(exitCodes, [0, 0])
        assert.isAbove(requests, 100)
      }), 90_000)
  })
})
