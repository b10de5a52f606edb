import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { SqlError } from "effect/sql"
import { PolicyError } from "../src/policy/PolicyError.ts"
import * as PolicyErrors from "../src/policy/PolicyError.ts"

const timeout = new PolicyError({
  _tag: "AttemptTimeout",
  operation: "orders.read",
  timeout: Duration.seconds(2),
  attempt: 3,
  sent: "unknown"
})

const deadline = (fields: { readonly attempts: number; readonly sent: "no" | "unknown"; readonly cause?: unknown }) =>
  new PolicyError({
    _tag: "DeadlineExceeded",
    operation: "orders.read",
    deadline: Duration.seconds(5),
    elapsed: Duration.seconds(5),
    ...fields
  })

describe("PolicyError", () => {
  it.effect("is caught by reason, with the reason's fields", () =>
    Effect.gen(function*() {
      const attempt = yield* Effect.fail(timeout).pipe(
        Effect.catchReason("PolicyError", "AttemptTimeout", (reason) => Effect.succeed(reason.attempt))
      )
      assert.strictEqual(attempt, 3)
    }))

  it("names operation and limit, and says what to do", () => {
    assert.match(timeout.message, /^Attempt 3 of "orders\.read" .* 2s\. .*raise the timeout\.$/)
    assert.match(deadline({ attempts: 2, sent: "unknown" }).message, /within its deadline of 5s \(2 attempts\)\. Find/)
    assert.match(deadline({ attempts: 0, sent: "no" }).message, /\(0 attempts\)\. .*give it more time/)
  })

  it("counts a timeout as the backend's failure and a deadline as the caller's", () => {
    assert.deepStrictEqual(timeout.outcome, { _tag: "Failure", sent: "unknown" })
    assert.deepStrictEqual(deadline({ attempts: 1, sent: "no" }).outcome, { _tag: "Ignored", sent: "no" })
  })

  it("carries the last failure as its cause, by identity", () => {
    const cause = new Error("refused")
    assert.strictEqual(deadline({ attempts: 1, sent: "no", cause }).cause, cause)
    assert.isUndefined(deadline({ attempts: 1, sent: "no" }).cause)
  })

  it("leaves the limit of stack traces as it was", () => {
    const limit = Error.stackTraceLimit
    deadline({ attempts: 1, sent: "no" })
    assert.strictEqual(Error.stackTraceLimit, limit)
    assert.isAbove(limit, 0)
  })

  it("comes back out of a SqlError as the very same object", () => {
    const around = (cause: unknown) => new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause }) })
    assert.strictEqual(Option.getOrThrow(PolicyErrors.fromSqlError(around(timeout))), timeout)
    assert.isTrue(Option.isNone(PolicyErrors.fromSqlError(around(new Error("other")))))
  })
})
