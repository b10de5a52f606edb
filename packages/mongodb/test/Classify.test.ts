/** What the driver rejects with that is no error of its own. */
import { Outcome, PoolError } from "@breakwater/core"
import { assert, describe, it } from "@effect/vitest"
import { classify } from "../src/internal/classify.ts"

const circumstances = {
  pool: "shop",
  started: 1,
  timedOut: () => new PoolError.PoolError({ reason: { _tag: "Closed", pool: "shop" } }),
  ended: () => undefined
}

const tagOf = (error: unknown) => {
  const { outcome, reason } = classify(error, circumstances)
  return [reason._tag, outcome] as const
}

describe("An error that is not the driver's", () => {
  it("is a lost connection where the socket says so", () => {
    for (const [code, syscall] of [["ECONNRESET", "write"], ["EPIPE", "write"], ["ECONNRESET", "read"]]) {
      const error = Object.assign(new Error(`${syscall} ${code}`), { code, syscall })
      assert.deepStrictEqual(tagOf(error), ["ConnectionLost", Outcome.failure("unknown")])
    }
  })

  it("was not sent where the socket's other end had said goodbye before, unless something else of the call was", () => {
    const error = Object.assign(new Error("This socket has been ended by the other party"), { code: "EPIPE" })
    assert.deepStrictEqual(tagOf(error), ["ConnectionLost", Outcome.failure("no")])
    const later = classify(error, { ...circumstances, started: 2 })
    assert.deepStrictEqual(later.outcome, Outcome.failure("unknown"))
  })

  it("is the work's own where it is of anything else", () => {
    const own = [
      new Error("ECONNRESET"),
      Object.assign(new Error("a folder"), { code: "EISDIR", syscall: "read" }),
      Object.assign(new Error("another server's"), { code: "ECONNRESET", syscall: "connect" })
    ]
    for (const error of own) assert.strictEqual(tagOf(error)[0], "Rejected")
  })
})
