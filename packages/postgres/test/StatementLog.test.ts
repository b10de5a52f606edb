import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Metric } from "effect"
import { TestClock } from "effect/testing"
import { StatementLog, withoutLiterals } from "../src/internal/statementLog.ts"

describe("The text of a statement", () => {
  const texts: ReadonlyArray<readonly [name: string, sql: string, shown: string]> = [
    ["parameters", "select * from t1 where a = $1 and b = $12", "select * from t1 where a = $1 and b = $12"],
    ["texts", "select 's3cret', 'it''s s3cret'", "select ?, ?"],
    ["texts that end in a backslash", String.raw`select 'a\', 's3cret'`, "select ?, ?"],
    ["texts with escapes", String.raw`select E'it\'s s3cret', e'\\'`, "select ?, ?"],
    ["texts in dollars", "select $$s3cret$$, $a$s3$$cret$a$", "select ?, ?"],
    ["a text without end", "select 's3cret", "select ?"],
    ["numbers", "select 42, 1.5e3, .5 limit 10", "select ?, ?, .? limit ?"],
    ["names", `select "o'brien", x1 from "t-1"`, `select "o'brien", x1 from "t-1"`],
    ["comments", "select 1 -- s3cret\n/* s3cret ' */ + 'a'", "select ? + ?"],
    ["blanks", "select\n   a,\n\tb", "select a, b"]
  ]
  for (const [name, sql, shown] of texts) {
    it(`is shown without what may be secret: ${name}`, () => assert.strictEqual(withoutLiterals(sql), shown))
  }

  it("is shown to a length", () => {
    assert.strictEqual(withoutLiterals(`select ${"a".repeat(1000)}`).length, 501)
  })
})

/** What is logged by statements that take so many milliseconds. */
const logged = (log: Partial<ConstructorParameters<typeof StatementLog>[0]["log"]>, ...times: ReadonlyArray<number>) =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const watcher = new StatementLog({
      name: "orders",
      log: { warn: 1000, error: 3000, statements: false, connections: false, ...log }
    })
    const capture = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
    for (const millis of times) {
      const fiber = yield* Effect.forkChild(
        Effect.provide(watcher.watch("select 's3cret'", Effect.sleep(millis)), Logger.layer([capture]))
      )
      yield* TestClock.adjust(millis)
      yield* Fiber.join(fiber)
    }
    return lines
  })

describe("The log of statements", () => {
  it.effect("warns of those that take a second, and makes an error of those that take three", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* logged({}, 10, 999, 1000, 2999, 3000), [
        "Warn postgres \"orders\": slow statement, 1000 ms: select ?",
        "Warn postgres \"orders\": slow statement, 2999 ms: select ?",
        "Error postgres \"orders\": very slow statement, 3000 ms: select ?"
      ])
    }))

  it.effect("has all of them where it is told to, and none", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* logged({ statements: true }, 10, 1000), [
        "Info postgres \"orders\": statement, 10 ms: select ?",
        "Warn postgres \"orders\": slow statement, 1000 ms: select ?"
      ])
      assert.deepStrictEqual(yield* logged({ warn: Infinity, error: Infinity }, 5000), [])
    }))

  it.effect("has one that was given up, too", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const watcher = new StatementLog({
        name: "orders",
        log: { warn: 1000, error: 3000, statements: false, connections: false }
      })
      const capture = Logger.make(({ message }) => void lines.push(message))
      const fiber = yield* Effect.forkChild(
        watcher.watch("select 1", Effect.never).pipe(
          Effect.timeoutOption(1500),
          Effect.provide(Logger.layer([capture]))
        )
      )
      yield* TestClock.adjust(1500)
      yield* Fiber.join(fiber)
      assert.lengthOf(lines, 1)
    }))

  it.effect("shows durations by OpenTelemetry's name, for each verb", () =>
    Effect.gen(function*() {
      const watcher = new StatementLog({
        name: "durations",
        log: { warn: 1000, error: 3000, statements: false, connections: false }
      })
      for (const [sql, millis] of [["select 1", 20], ["select 2", 200], ["insert into t values (1)", 2]] as const) {
        const fiber = yield* Effect.forkChild(watcher.watch(sql, Effect.sleep(millis)))
        yield* TestClock.adjust(millis)
        yield* Fiber.join(fiber)
      }
      const found = (yield* Metric.snapshot).filter(({ attributes, id }) =>
        id === "db.client.operation.duration" && attributes?.["db.client.connection.pool.name"] === "durations"
      )
      const summary = found.map(({ attributes, state }) => [
        attributes?.["db.operation.name"],
        attributes?.["unit"],
        "count" in state ? state.count : undefined,
        "sum" in state ? state.sum : undefined
      ])
      assert.deepStrictEqual(summary, [["SELECT", "s", 2, 0.22], ["INSERT", "s", 1, 0.002]])
    }))
})
