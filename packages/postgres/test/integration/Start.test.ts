/** The promise face. */
import { Postgres } from "@breakwater/postgres"
import { PostgresServer } from "@breakwater/testing"
import { rejection } from "@breakwater/testing/Rejection"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { isSqlError } from "effect/sql/SqlError"

const withUrl = (test: (options: Postgres.Options) => Promise<void>) =>
  Effect.flatMap(PostgresServer.PostgresServer, ({ url }) => Effect.promise(() => test({ name: "orders", url })))

describe.skipIf(!TestPostgres.available)("start", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((it) => {
    it.effect("answers statements, statistics and health, and closes once", () =>
      withUrl(async (options) => {
        const orders = await Postgres.start(options)
        assert.deepStrictEqual(await orders.client.query("select $1::int as x", [1]), [{ x: 1 }])
        assert.strictEqual((await orders.stats()).opened, 1)
        assert.strictEqual((await orders.health()).status, "healthy")
        await Promise.all([orders.close(), orders.close()])
        assert.isTrue(isSqlError(await rejection(orders.client.query("select 1"))))
      }))

    it.effect("closes at the end of the block with await using", () =>
      withUrl(async (options) => {
        let client: Postgres.Client | undefined
        {
          await using orders = await Postgres.start(options)
          client = orders.client
          await client.query("select 1")
        }
        assert.isTrue(isSqlError(await rejection(client.query("select 1"))))
      }))

    it.effect("ends a call whose signal is aborted, with the reason of the signal", () =>
      withUrl(async (options) => {
        await using orders = await Postgres.start(options)
        const controller = new AbortController()
        const reason = new Error("enough")
        const query = orders.client.query("select pg_sleep(30)", [], { signal: controller.signal })
        setTimeout(() => controller.abort(reason), 100)
        assert.strictEqual(await rejection(query), reason)
        assert.strictEqual(await rejection(orders.client.query("select 1", [], { signal: controller.signal })), reason)
        assert.strictEqual(await rejection(orders.health({ signal: controller.signal })), reason)
        assert.strictEqual((await orders.stats()).used, 0)
      }))

    it.effect("commits a transaction that resolves and rolls back one that rejects, with the same rejection", () =>
      withUrl(async (options) => {
        await using orders = await Postgres.start(options)
        const { client } = orders
        await client.query("create table promised (n int)")
        await client.transaction((tx) => tx.query("insert into promised values (1)"))
        const mine = new Error("mine")
        const rolledBack = client.transaction(async (tx) => {
          await tx.query("insert into promised values (2)")
          throw mine
        })
        assert.strictEqual(await rejection(rolledBack), mine)
        assert.deepStrictEqual(await client.query("select n from promised"), [{ n: 1 }])
      }))

    it.effect("rejects when the start itself is aborted or fails", () =>
      withUrl(async (options) => {
        const reason = new Error("too late")
        assert.strictEqual(await rejection(Postgres.start(options, { signal: AbortSignal.abort(reason) })), reason)
        assert.throws(() => Postgres.make({ ...options, pool: { size: { max: 0 } } }), RangeError)
      }))
  })
})
