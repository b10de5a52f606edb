import { assert, describe, it } from "@effect/vitest"
import { controlOf, isPlainRead, verbOf } from "../src/internal/statement.ts"

describe("A statement's text", () => {
  it("gives the verb, whatever stands before it", () => {
    assert.strictEqual(verbOf("SELECT 1"), "select")
    assert.strictEqual(verbOf("\n  -- why\n /* and\n how */ Insert into t"), "insert")
    assert.strictEqual(verbOf("(select 1) union (select 2)"), "select")
    assert.strictEqual(verbOf(""), "")
    assert.strictEqual(verbOf("/* open"), "")
    assert.strictEqual(verbOf("/* a /* b */ begin */ select 1"), "select")
    assert.strictEqual(verbOf("/* a /* b */ */ begin"), "begin")
  })

  it("says what becomes of the transaction", () => {
    const controls: Record<string, string | undefined> = {
      "BEGIN": "begin",
      "/* x */ begin isolation level serializable": "begin",
      "START TRANSACTION": "begin",
      "COMMIT": "commit",
      "end": "commit",
      "COMMIT AND CHAIN": "chain",
      "COMMIT PREPARED 'x'": undefined,
      "ROLLBACK": "rollback",
      "abort": "rollback",
      "ROLLBACK TO SAVEPOINT a": "rollbackTo",
      "ROLLBACK AND CHAIN": "chain",
      "RELEASE SAVEPOINT a": "release",
      "SAVEPOINT a": undefined,
      "select 'begin'": undefined
    }
    for (const [sql, control] of Object.entries(controls)) assert.strictEqual(controlOf(sql), control, sql)
  })

  it("is a plain read only where nothing in it can write", () => {
    const reads = ["select 1", "SHOW all", "values (1)", "table t", "select * from updates"]
    for (const sql of reads) assert.isTrue(isPlainRead(sql), sql)
    const writes = [
      "select * from t for update",
      "select * from t for no key update",
      "select * from t FOR  SHARE",
      "select 1 into t",
      "select nextval('s')",
      "select pg_advisory_lock(1)",
      "select pg_try_advisory_xact_lock(1)",
      "select pg_notify('a', 'b')",
      "with x as (insert into t values (1) returning *) select * from x",
      "insert into t values (1)",
      "explain analyze select 1",
      "call p()",
      ""
    ]
    for (const sql of writes) assert.isFalse(isPlainRead(sql), sql)
  })

  it("is looked at in a time that grows with its length only", () => {
    const long = `${"/*".repeat(50_000)} select`
    const blanks = `${" ".repeat(100_000)}select 1`
    assert.strictEqual(verbOf(long), "")
    assert.strictEqual(verbOf(blanks), "select")
  })
})
