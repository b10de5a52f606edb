import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Exit } from "effect"
import * as Outcome from "../src/policy/Outcome.ts"
import { Down } from "./support/calls.ts"

const carrying = (outcome: Outcome.Outcome) => Cause.fail(new Down({ outcome }))

describe("Outcome.fromExit", () => {
  it("counts a success as Success", () => {
    assert.strictEqual(Outcome.fromExit(Exit.succeed(1)), Outcome.success)
  })

  it("counts an interruption and nothing else as Ignored", () => {
    assert.deepStrictEqual(Outcome.fromExit(Exit.interrupt(1)), { _tag: "Ignored", sent: "unknown" })
  })

  it("takes the outcome that a typed failure carries, whatever it is", () => {
    const carried = [
      Outcome.success,
      Outcome.failure("no"),
      Outcome.ignored("yes"),
      Outcome.overload("no", Duration.seconds(1))
    ]
    for (const outcome of carried) {
      assert.strictEqual(Outcome.fromExit(Exit.failCause(carrying(outcome))), outcome)
    }
  })

  it("takes a carried outcome also beside an interruption", () => {
    const cause = Cause.combine(Cause.interrupt(1), carrying(Outcome.failure("no")))
    assert.deepStrictEqual(Outcome.fromExit(Exit.failCause(cause)), Outcome.failure("no"))
  })

  it("counts any other failure as a Failure that may have been sent", () => {
    assert.deepStrictEqual(Outcome.fromExit(Exit.fail("no such table")), { _tag: "Failure", sent: "unknown" })
    assert.deepStrictEqual(Outcome.fromExit(Exit.fail({ outcome: "odd" })), { _tag: "Failure", sent: "unknown" })
    assert.deepStrictEqual(Outcome.fromExit(Exit.fail({ outcome: { _tag: "Failure" } })), Outcome.failure("unknown"))
  })

  it("counts a defect as a Failure, whatever a failure beside it says of itself", () => {
    const cause = Cause.combine(carrying(Outcome.ignored("no")), Cause.die("bug"))
    assert.deepStrictEqual(Outcome.fromExit(Exit.failCause(cause)), { _tag: "Failure", sent: "unknown" })
  })
})
