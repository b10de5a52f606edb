import * as Backends from "@breakwater/core/Backends"
import * as Operation from "@breakwater/core/Operation"
import * as Policy from "@breakwater/core/Policy"
import * as Pool from "@breakwater/core/Pool"
import { Ops } from "@breakwater/ops"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import { backend } from "./support.ts"

interface Written {
  readonly level: string
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

/** Runs with a log of the test's own. */
const logged = <E>(effect: (lines: Array<Written>) => Effect.Effect<void, E, import("effect/Scope").Scope>) =>
  Effect.suspend(() => {
    const lines: Array<Written> = []
    const logger = Logger.make<unknown, void>(({ fiber, logLevel, message }) => {
      const details = fiber.getRef(References.CurrentLogAnnotations)
      lines.push({ level: logLevel, message: [message].flat().join(" "), details })
    })
    return Effect.scoped(Backends.isolated(Effect.provide(effect(lines), Logger.layer([logger]))))
  })

const messages = (lines: ReadonlyArray<Written>) => lines.map(({ level, message }) => `${level} ${message}`)

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
        assert.deepStrictEqual(messages(lines), ["Warn fake \"orders\" cannot be reached"])
        assert.deepInclude(lines[0]?.details, {
          backend: "orders",
          kind: "fake",
          error: "ECONNREFUSED",
          failed_dials: 3
        })
        state.up = true
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(messages(lines).slice(1), ["Info fake \"orders\" is reached again"])
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
        assert.deepStrictEqual(messages(lines), ["Warn fake \"orders\" turns callers away"])
        assert.match(String(lines[0]?.details["oldest_holder"]), /^report, for \d+ ms$/)
        assert.deepInclude(lines[0]?.details, { turned_away: 1, used: 2, max: 2 })
        yield* Fiber.interruptAll(holders)
        yield* TestClock.adjust("15 seconds")
        assert.deepStrictEqual(messages(lines).slice(1), ["Info fake \"orders\" serves all callers again"])
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
        assert.deepStrictEqual(messages(lines), [
          "Warn fake \"payments\" opened its breaker",
          "Info fake \"payments\" tries whether its breaker may close",
          "Info fake \"payments\" closed its breaker",
          "Warn fake \"orders\" has lent a connection for suspiciously long",
          "Info fake \"orders\" got back a connection that was lent for suspiciously long",
          "Info fake \"orders\" is paused",
          "Info fake \"orders\" goes on after a pause",
          "Info fake \"orders\" has other sizes",
          "Info fake \"orders\" drains",
          "Info fake \"orders\" is drained"
        ])
        assert.deepInclude(lines[0]?.details, { from: "closed", to: "open", operation: "pay" })
      })
    ))
})

describe("the log of statistics", () => {
  it.effect("writes one line a time", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const { pool } = yield* backend("orders")
        yield* Layer.build(Ops.logStats("60 seconds"))
        yield* Pool.use(pool, () => Effect.void)
        yield* TestClock.adjust("59 seconds")
        assert.deepStrictEqual(lines, [])
        yield* TestClock.adjust("61 seconds")
        assert.deepStrictEqual(messages(lines), ["Info How the pools stand", "Info How the pools stand"])
        assert.deepInclude(lines[0]?.details["orders"], { used: 0, max: 3, acquired: 1, breaker: "closed" })
      })
    ))
})
