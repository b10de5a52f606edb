import * as Backends from "@breakwater/core/Backends"
import * as Operation from "@breakwater/core/Operation"
import * as Policy from "@breakwater/core/Policy"
import * as Pool from "@breakwater/core/Pool"
import { Ops } from "@breakwater/ops"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { backend } from "./support.ts"

/** Runs with a log of the test's own. */
const logged = <E>(effect: (lines: Array<string>) => Effect.Effect<void, E, import("effect/Scope").Scope>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>((entry) => {
      const { annotations, level, message } = Logger.formatStructured.log(entry)
      // With Effect's pretty logger each would be a line of its own.
      assert.deepStrictEqual(annotations, {})
      lines.push(`${level} ${String(message)}`)
    })
    return Effect.scoped(Backends.isolated(Effect.provide(effect(lines), Logger.layer([logger]))))
  })

/** A pool whose server is there or not. */
const server = Effect.gen(function*() {
  const state = { up: true }
  const pool = yield* Pool.make({
    name: "orders",
    acquire: Effect.suspend(() => state.up ? Effect.succeed("session") : Effect.fail(new Error("ECONNREFUSED"))),
    size: { max: 2 },
    wait: { timeout: "1 second" },
    leak: { after: "30 seconds" }
  })
  return { pool, state }
})

describe("the log of changes", () => {
  it.effect("is quiet while all is well", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const { pool } = yield* backend("orders")
        yield* Layer.build(Ops.logChanges)
        for (let n = 0; n < 50; n++) {
          yield* Pool.use(pool, () => Effect.void)
          yield* TestClock.adjust("1 second")
        }
        assert.deepStrictEqual(lines, [])
      })
    ))

  it.effect("says once that a server cannot be reached and why, and that it is again", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const { pool, state } = yield* server
        yield* Effect.forkScoped(backend("orders", { changes: Pool.changes(pool), stats: Pool.stats(pool) }), {
          startImmediately: true
        })
        yield* Layer.build(Ops.logChanges)
        state.up = false
        yield* Effect.forkChild(Effect.ignore(Pool.use(pool, () => Effect.void)), { startImmediately: true })
        yield* TestClock.adjust("20 seconds")
        assert.deepStrictEqual(lines, ["WARN fake \"orders\" cannot be reached: error=ECONNREFUSED failed_dials=3"])
        state.up = true
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(lines.length, 2)
        assert.match(lines[1] ?? "", /^INFO fake "orders" is reached again: after=\d+s\d+ms$/)
      })
    ))

  it.effect("says that callers are turned away with who holds the connections, and that all are served again", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const { pool } = yield* server
        yield* backend("orders", { changes: Pool.changes(pool), stats: Pool.stats(pool), detail: Pool.detail(pool) })
        yield* Layer.build(Ops.logChanges)
        const hold = Pool.use(pool, () => Effect.never, { label: "report" })
        const holders = [yield* Effect.forkChild(hold), yield* Effect.forkChild(hold)]
        yield* TestClock.adjust("1 second")
        const late = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)), { startImmediately: true })
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(late)
        assert.strictEqual(lines.length, 1)
        assert.match(
          lines[0] ?? "",
          /^WARN fake "orders" turns callers away: turned_away=1 used=2 .* max=2 .* oldest_holder=report held=\d+s$/
        )
        yield* Fiber.interruptAll(holders)
        yield* TestClock.adjust("15 seconds")
        assert.deepStrictEqual(lines.slice(1), ["INFO fake \"orders\" serves all callers again: after=0"])
      })
    ))

  it.effect("says that a breaker opens, tries and closes, and of pauses, leaks, sizes and the end", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const { pool } = yield* server
        const policy = Policy.make({
          name: "orders",
          breaker: { minimumCalls: 2, openFor: "5 seconds", halfOpenCalls: 1 }
        })
        yield* backend("orders", { changes: Pool.changes(pool), stats: Pool.stats(pool) })
        yield* backend("payments", { changes: Policy.changes(policy) })
        yield* Layer.build(Ops.logChanges)
        const call = (work: Effect.Effect<void, Error>) =>
          Effect.ignore(Policy.apply(work, policy, Operation.make("pay", { idempotent: true })))
        for (let n = 0; n < 20; n++) yield* call(Effect.fail(new Error("503")))
        yield* TestClock.adjust("6 seconds")
        for (let n = 0; n < 20; n++) yield* call(Effect.void)
        const borrow = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("40 seconds"), { label: "slow" }))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(borrow)
        yield* Pool.pause(pool)
        yield* Pool.resume(pool)
        yield* Pool.resize(pool, { min: 0, max: 5 })
        yield* Pool.drain(pool, "1 second")
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(lines, [
          "WARN fake \"payments\" opened its breaker: from=closed to=open operation=pay",
          "INFO fake \"payments\" tries whether its breaker may close: from=open to=half-open operation=pay",
          "INFO fake \"payments\" closed its breaker: from=half-open to=closed operation=pay",
          "WARN fake \"orders\" has lent a connection for suspiciously long: holder=slow held=30s",
          "INFO fake \"orders\" got back a connection that was lent for suspiciously long: holder=slow held=40s",
          "INFO fake \"orders\" is paused",
          "INFO fake \"orders\" goes on after a pause",
          "INFO fake \"orders\" has other sizes: min=0 max=5 keep=5",
          "INFO fake \"orders\" drains",
          "INFO fake \"orders\" is drained"
        ])
      })
    ))
})

describe("the log of statistics", () => {
  it.effect("writes one line a time and backend", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const { pool } = yield* backend("orders")
        yield* Layer.build(Ops.logStats("60 seconds"))
        yield* Pool.use(pool, () => Effect.void)
        yield* TestClock.adjust("59 seconds")
        assert.deepStrictEqual(lines, [])
        yield* TestClock.adjust("61 seconds")
        const line =
          "INFO fake \"orders\" stands: used=0 idle=1 waiting=0 max=3 breaker=closed acquired=1 reused=0 timed_out=0 refused=0 shed=0 unavailable=0"
        assert.deepStrictEqual(lines, [line, line])
      })
    ))
})
