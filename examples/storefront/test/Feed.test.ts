import { FaultProxy } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Watchers from "../storm/Watchers.ts"
import { layer as layerShop, Shop } from "./shop.ts"
import { until } from "./support.ts"

const ORDERS = 100

/** Places orders of their own, and says how many were. */
const place = Effect.fnUntraced(function*(prefix: string, count: number) {
  const { http } = yield* Shop
  const keys = Array.from({ length: count }, (_, n) => `${prefix}-${n}`)
  const answers = yield* Effect.forEach(keys, (key) => http.order(key, { product: 1, quantity: 1 }), { concurrency: 5 })
  return answers.filter(({ status }) => status === 201).length
})

describe.skipIf(!TestPostgres.available)("the storefront's feed", () => {
  layer(layerShop, { excludeTestServices: true })((it) => {
    it.effect("tells everybody who watches of every order", () =>
      Effect.gen(function*() {
        const { url, watchers } = yield* Shop
        const { count, heard } = yield* Watchers.faithful(url)
        yield* until(watchers.stats, ({ connections }) => connections === count)
        const placed = yield* place("told", 3)
        yield* until(heard, (messages) => messages === placed * count)
      }))

    it.effect("lets those go that vanish without a word", () =>
      Effect.gen(function*() {
        const { address, watchers } = yield* Shop
        const door = yield* FaultProxy.make({ target: address })
        const vanished = yield* Watchers.some(door)
        yield* until(watchers.stats, ({ connections }) => connections === vanished.length)
        yield* door.blackHole
        const { dead } = yield* until(watchers.stats, ({ connections }) => connections === 0)
        assert.strictEqual(dead, vanished.length)
      }))

    it.effect("lets those go that ask and do not read, and tells the others meanwhile", () =>
      Effect.gen(function*() {
        const { address, url, watchers } = yield* Shop
        const { count, heard } = yield* Watchers.faithful(url)
        yield* until(watchers.stats, ({ connections }) => connections === count)
        const before = yield* place("many", ORDERS)
        yield* Watchers.slow(address)
        yield* until(watchers.stats, ({ slow }) => slow > 0)
        const after = yield* place("meanwhile", 3)
        yield* until(heard, (messages) => messages === (before + after) * count)
        yield* until(watchers.stats, ({ connections }) => connections === count)
      }))
  })
})
