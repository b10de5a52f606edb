import { Outcome, PolicyError, PoolError } from "@breakwater/core"
import { PostgresError, PostgresOutcome } from "@breakwater/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Exit } from "effect"
import { ConnectionError, SqlError, UnknownError } from "effect/sql/SqlError"
import { dialError, toSqlError } from "../src/internal/sqlError.ts"

/** As sql-pg makes them of the server's answers. */
const answer = (code: string) =>
  new SqlError({
    reason: new UnknownError({ cause: Object.assign(new Error("no"), { code, severity: "ERROR" }), message: "no" })
  })

const outcome = (error: unknown) => PostgresOutcome.fromExit(Exit.fail(error))

const poolError = (reason: PoolError.Reason) => new PoolError.PoolError({ reason })

const postgresError = (reason: PostgresError.Reason) => new PostgresError.PostgresError(reason)

const pool = "orders"

describe("PostgresOutcome", () => {
  it("counts what the server enforces as its success", () => {
    for (const code of ["23505", "23503", "42601", "42501", "22012", "40001", "40P01", "55P03", "25P02", "P0001"]) {
      assert.deepStrictEqual(outcome(answer(code)), Outcome.success, code)
    }
    assert.deepStrictEqual(PostgresOutcome.fromExit(Exit.void), Outcome.success)
  })

  it("counts what the server cannot do as its failure, of which it has answered", () => {
    for (const code of ["57014", "57P01", "57P03", "58030", "XX000", "08006", "25006"]) {
      assert.deepStrictEqual(outcome(answer(code)), Outcome.failure("yes"), code)
    }
  })

  it("counts a lack of resources as overload", () => {
    assert.deepStrictEqual(outcome(answer("53300")), Outcome.overload("yes"))
  })

  it("reads what our own errors say, also inside a SqlError", () => {
    const lost = postgresError({ _tag: "ConnectionLost", pool, sent: "no", cause: undefined })
    const unknown = postgresError({ _tag: "CommitUnknown", pool, cause: undefined })
    assert.deepStrictEqual(outcome(lost), Outcome.failure("no"))
    assert.deepStrictEqual(outcome(toSqlError(lost, false)), Outcome.failure("no"))
    assert.deepStrictEqual(outcome(toSqlError(unknown, false)), Outcome.failure("unknown"))
    assert.deepStrictEqual(
      outcome(toSqlError(postgresError({ _tag: "TransactionLost", pool, cause: undefined }), false)),
      Outcome.failure("no")
    )
    assert.deepStrictEqual(
      outcome(toSqlError(postgresError({ _tag: "TransactionAborted", pool }), false)),
      Outcome.success
    )
    const full = poolError({ _tag: "QueueFull", pool, maxWaiting: 1 })
    assert.deepStrictEqual(outcome(toSqlError(full, false)), Outcome.ignored("no"))
  })

  it("does not blame the server for an interruption, and does not trust an error beside a defect", () => {
    assert.deepStrictEqual(PostgresOutcome.fromExit(Exit.interrupt(1)), Outcome.ignored("unknown"))
    const both = Cause.combine(Cause.fail(answer("23505")), Cause.die("bug"))
    assert.deepStrictEqual(PostgresOutcome.fromExit(Exit.failCause(both)), Outcome.failure("unknown"))
  })
})

describe("The map to SqlError", () => {
  const timeout = new PolicyError.PolicyError<PolicyError.AttemptTimeout>({
    _tag: "AttemptTimeout",
    operation: "orders.select",
    timeout: Duration.seconds(1),
    attempt: 1,
    sent: "unknown"
  })
  const deadline = new PolicyError.PolicyError<PolicyError.DeadlineExceeded>({
    _tag: "DeadlineExceeded",
    operation: "orders.select",
    deadline: Duration.seconds(1),
    elapsed: Duration.seconds(1),
    attempts: 1,
    sent: "unknown"
  })
  const lost = (sent: "no" | "unknown") => postgresError({ _tag: "ConnectionLost", pool, sent, cause: undefined })
  const unavailable = poolError({ _tag: "Unavailable", pool, failedDials: 3, cause: undefined })
  const circuitOpen = new PolicyError.PolicyError<PolicyError.CircuitOpen>({
    _tag: "CircuitOpen",
    policy: "orders",
    openFor: Duration.seconds(1),
    retryAfter: Duration.seconds(1),
    cause: undefined
  })
  const rows: ReadonlyArray<readonly [Parameters<typeof toSqlError>[0], onceOnly: string, repeatable: string]> = [
    [poolError({ _tag: "QueueFull", pool, maxWaiting: 1 }), "ConnectionError", "ConnectionError"],
    [unavailable, "ConnectionError", "ConnectionError"],
    [poolError({ _tag: "Closed", pool }), "UnknownError", "UnknownError"],
    [poolError({ _tag: "NestedAcquire", pool, max: 1, nestedIn: undefined }), "UnknownError", "UnknownError"],
    [poolError({ _tag: "Revoked", pool, why: "Cleared", cause: undefined }), "UnknownError", "UnknownError"],
    [circuitOpen, "ConnectionError", "ConnectionError"],
    [timeout, "UnknownError", "StatementTimeoutError"],
    [deadline, "UnknownError", "UnknownError"],
    [lost("no"), "ConnectionError", "ConnectionError"],
    [lost("unknown"), "UnknownError", "ConnectionError"],
    [postgresError({ _tag: "CommitUnknown", pool, cause: undefined }), "UnknownError", "UnknownError"],
    [postgresError({ _tag: "TransactionAborted", pool }), "UnknownError", "UnknownError"],
    [postgresError({ _tag: "TransactionLost", pool, cause: undefined }), "UnknownError", "UnknownError"]
  ]
  for (const [error, onceOnly, repeatable] of rows) {
    if (error._tag === "SqlError") continue
    it(`${error.reason._tag} is ${onceOnly}, or ${repeatable} where repeating is safe, and keeps its identity`, () => {
      const made = [toSqlError(error, false), toSqlError(error, true)]
      assert.deepStrictEqual(made.map(({ reason }) => reason._tag), [onceOnly, repeatable])
      for (const { message, reason } of made) {
        assert.strictEqual(reason.cause, error)
        if (reason._tag !== "StatementTimeoutError") assert.strictEqual(message, error.message)
      }
    })
  }

  it("says of a timeout whether the statement may be repeated", () => {
    assert.match(toSqlError(timeout, false).message, /repeat it only if that is safe/)
    assert.match(toSqlError(timeout, true).message, /took longer than its timeout of 1s\. It may be repeated\.$/)
  })

  it("leaves the server's own errors as they are, and tells all of an outage with one", () => {
    const error = answer("23505")
    assert.strictEqual(toSqlError(error, false), error)
    assert.strictEqual(toSqlError(unavailable, false), toSqlError(unavailable, true))
    assert.strictEqual(toSqlError(circuitOpen, false), toSqlError(circuitOpen, true))
  })

  it("says of a failed dial what the server or the network said", () => {
    const refused = new SqlError({
      reason: new ConnectionError({
        cause: Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" }),
        message: "Failed to connect"
      })
    })
    assert.strictEqual(dialError(refused).message, "Failed to connect: connect ECONNREFUSED 127.0.0.1:1")
    const full = dialError(answer("53300"))
    assert.strictEqual(full.reason._tag, "ConnectionError")
    assert.strictEqual(full.message, "no: no (53300)")
  })
})
