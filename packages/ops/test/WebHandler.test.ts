import { Ops } from "@breakwater/ops"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { backend } from "./support.ts"

const TOKEN = "not-to-be-guessed"

const handlerOf = (options: Ops.WebOptions) =>
  Effect.map(
    Effect.acquireRelease(Effect.sync(() => Ops.toWebHandler(options)), ({ dispose }) => Effect.promise(dispose)),
    ({ handler }) => (path: string, init: RequestInit = {}) =>
      Effect.promise(async () => {
        const response = await handler(new Request(`http://ops.test${path}`, init))
        return { status: response.status, body: await response.text() }
      })
  )

describe("the web handler", () => {
  it.live("answers health to everybody and the rest to who has the token, and 404 for what it does not have", () =>
    Effect.gen(function*() {
      yield* backend("orders")
      const ask = yield* handlerOf({ token: Redacted.make(TOKEN), service: "shop", logs: false })
      const headers = { authorization: `Bearer ${TOKEN}` }
      assert.deepStrictEqual(yield* ask("/health/live"), { status: 200, body: "{\"status\":\"alive\"}" })
      assert.strictEqual((yield* ask("/health/ready")).status, 200)
      assert.deepStrictEqual(yield* ask("/stats"), { status: 401, body: "" })
      const stats: unknown = JSON.parse((yield* ask("/stats", { headers })).body)
      assert.nestedPropertyVal(stats, "backends.orders.kind", "fake")
      assert.deepStrictEqual(yield* ask("/stat", { headers }), { status: 404, body: "" })
      assert.strictEqual((yield* ask("/stats", { headers, method: "DELETE" })).status, 405)
    }).pipe(Effect.scoped))

  it.live("has no place to tell by: without a token nobody sees the statistics", () =>
    Effect.gen(function*() {
      const ask = yield* handlerOf({ logs: false })
      assert.deepStrictEqual(yield* ask("/stats"), { status: 403, body: "" })
    }).pipe(Effect.scoped))

  it.live("is not ready outside of the phase, which it asks anew each time", () =>
    Effect.gen(function*() {
      let phase: "starting" | "ready" = "starting"
      const ask = yield* handlerOf({ phase: Effect.sync(() => phase), logs: false })
      assert.strictEqual((yield* ask("/health/ready")).status, 503)
      phase = "ready"
      assert.strictEqual((yield* ask("/health/ready")).status, 200)
    }).pipe(Effect.scoped))
})
