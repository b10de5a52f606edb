/** The promise face, and two databases in one program. */
import { Backends, RetryBudget } from "@breakwater/core"
import { Mongo } from "@breakwater/mongodb"
import { rejection } from "@breakwater/testing/Rejection"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { eventually, find, open, quiet, server } from "../utils/database.ts"

const withUrl = (test: (options: Mongo.Options) => Promise<void>) =>
  Effect.flatMap(server, ({ url }) => Effect.promise(() => test({ name: "shop", url, pool: { size: { max: 3 } } })))

class First extends Mongo.Service<First>()("first") {}
class Second extends Mongo.Service<Second>()("second") {}

describe("start", () => {
  it.live("works, tells its statistics and health, and closes once", () =>
    withUrl(async (options) => {
      const shop = await Mongo.start(options)
      await shop.client.use((db, _, limits) => db.command({ ping: 1 }, limits))
      assert.isAtLeast((await shop.stats()).opened, 1)
      assert.strictEqual((await shop.health()).status, "healthy")
      await Promise.all([shop.close(), shop.close()])
      assert.include(String(await rejection(shop.client.use(find))), "is closed")
      assert.strictEqual((await shop.stats()).idle, 0)
    }))

  it.live("ends a call whose signal is aborted, with the reason of the signal", () =>
    withUrl(async (options) => {
      await using shop = await Mongo.start(options)
      const controller = new AbortController()
      const reason = new Error("enough")
      const seen: Array<AbortSignal> = []
      const waiting = shop.client.use((_, signal) =>
        new Promise((_settle, reject) => {
          seen.push(signal)
          signal.addEventListener("abort", () => reject(signal.reason))
          controller.abort(reason)
        }), { signal: controller.signal })
      assert.strictEqual(await rejection(waiting), reason)
      assert.isTrue(seen[0]?.aborted)
      assert.strictEqual(await rejection(shop.client.use(find, { signal: controller.signal })), reason)
    }))

  it.live("two services of one program are two pools, each registered by its name", () =>
    Effect.gen(function*() {
      const { url } = yield* server
      yield* Backends.isolated(
        Effect.gen(function*() {
          const first = yield* First
          const second = yield* Second
          yield* first.use(find)
          assert.deepStrictEqual([(yield* first.stats).acquired, (yield* second.stats).acquired], [1, 0])
          const labels = (yield* Backends.list).map(({ label }) => label)
          assert.sameMembers(labels, ["first", "second"])
        }).pipe(
          Effect.provide(Layer.mergeAll(
            First.layer({ url, pool: { start: "lazy" } }),
            Second.layer({ url, pool: { start: "lazy" } })
          ))
        )
      )
    }).pipe(quiet))
})

describe("A server that is not there at start", () => {
  it.live("is tried again at the expense of the budget for retries", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.make({ perSecond: 2, burst: 2 })
      const mongo = yield* open(Redacted.make("mongodb://127.0.0.1:1/shop?heartbeatFrequencyMS=500"), {
        pool: { wait: { timeout: "100 millis" } },
        policy: { retry: { times: 1, budget } }
      })
      const balance = Effect.map(mongo.backend.policy, ({ retryBudget }) => retryBudget?.balance ?? 0)
      assert.strictEqual(yield* balance, 2)
      yield* eventually(Effect.map(balance, (left) => left < 2))
    }))
})
