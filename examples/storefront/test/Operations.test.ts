import { OpsStats } from "@breakwater/ops"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { layer as layerShop, Shop } from "./shop.ts"
import { until } from "./support.ts"

const REQUESTS = 10

/** How many operations a backend has timed since it was made. */
const operationsOf = (metrics: string, backend: string): number => {
  const count = new RegExp(`_duration_seconds_count\\{[^}]*breakwater_backend="${backend}"[^}]*\\} (\\d+)`).exec(
    metrics
  )
  return Number(count?.[1] ?? 0)
}

describe.skipIf(!TestPostgres.available)("the storefront's operations", () => {
  layer(layerShop, { excludeTestServices: true })((it) => {
    it.effect("tell of every backend what it did, exactly, and how long the servers took", () =>
      Effect.gen(function*() {
        const { http, url } = yield* Shop
        const metrics = Effect.tryPromise(async (signal) => (await fetch(`${url}/metrics`, { signal })).text())
        const count = (backend: string) => Effect.map(metrics, (text) => operationsOf(text, backend))
        yield* until(http.get("/products/1/description"), ({ status }) => status === 200)
        const ask = Effect.fnUntraced(function*(backend: string, path: string) {
          const before = yield* count(backend)
          for (let n = 0; n < REQUESTS; n++) assert.strictEqual((yield* http.get(path)).status, 200)
          assert.strictEqual((yield* count(backend)) - before, REQUESTS, backend)
        })
        yield* ask("storefront", "/products/3")
        yield* ask("shipping", "/products/3/shipping")
        // Health asks the servers too, and is no operation of the program's.
        const before = yield* count("storefront")
        assert.strictEqual((yield* http.get("/health/pools")).status, 200)
        assert.strictEqual(yield* count("storefront"), before)

        const { backends, phase, service, totals } = yield* Schema.decodeUnknownEffect(OpsStats.Stats)(
          (yield* http.get("/stats")).body
        )
        assert.deepStrictEqual([service, phase, totals.backends], ["storefront", "ready", 5])
        assert.deepStrictEqual(Object.keys(backends).toSorted(), [
          "catalogue",
          "feed",
          "payments",
          "shipping",
          "storefront"
        ])
        assert.strictEqual(backends["storefront"]?.pool_info, "Limit: 10, Pool Timeout: 1s, Connect Timeout: 1s")
        assert.deepStrictEqual(backends["storefront"]?.limits_ms, {
          wait: 1000,
          dial: 1000,
          timeout: 400,
          deadline: 900
        })
        assert.strictEqual(backends["storefront"]?.health?.status, "healthy")
        for (const name of ["storefront", "shipping", "catalogue"]) {
          const { operation, use, wait } = backends[name]?.times ?? assert.fail(`no ${name}`)
          for (const times of [operation, use, wait]) assert.isAbove(times?.count ?? 0, 0, name)
          assert.isAtLeast(use?.p99 ?? 0, operation?.p50 ?? Infinity, name)
        }
      }))

    it.effect("show the policies that are no backend's own, too", () =>
      Effect.gen(function*() {
        const { http, url } = yield* Shop
        assert.strictEqual((yield* http.order("metrics-1", { product: 1, quantity: 1 })).status, 201)
        const text = yield* Effect.tryPromise(async (signal) => (await fetch(`${url}/metrics`, { signal })).text())
        const series = (name: string, policy: string) =>
          text.split("\n").filter((line) =>
            line.startsWith(`${name}{`) && line.includes(`breakwater_policy_name="${policy}"`)
          ).map((line) => Number(line.split(" ").at(-1)))
        assert.deepStrictEqual(series("breakwater_policy_concurrency_max", "orders.place"), [6])
        for (const policy of ["orders", "orders.place"]) {
          const [calls = 0, ...others] = series("breakwater_policy_calls_total", policy)
          assert.isAbove(calls, 0, policy)
          assert.deepStrictEqual(others, [], policy)
        }
      }))

    it.effect("name who holds a connection, by the site of the borrow", () =>
      Effect.gen(function*() {
        const { database: { sql }, http } = yield* Shop
        const stats = Effect.flatMap(http.get("/stats"), ({ body }) => Schema.decodeUnknownEffect(OpsStats.Stats)(body))
        const report = Effect.withSpan(sql.withTransaction(Effect.sleep("1 second")), "monthly report")
        yield* Effect.forkChild(report, { startImmediately: true })
        const { backends } = yield* until(stats, (now) => (now.backends["storefront"]?.holders.length ?? 0) > 0)
        const [holder] = backends["storefront"]?.holders ?? []
        assert.match(`${holder?.label} ${holder?.site}`, /monthly report|transaction/)
      }))
  })
})
