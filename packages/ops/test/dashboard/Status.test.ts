import { assert, describe, it } from "@effect/vitest"
import { type Known, STALE_AFTER, statusOf } from "../../src/internal/dashboard/client/status.ts"

const known = (changes: Partial<Known> = {}) =>
  statusOf({ link: "live", age: 900, pausedAt: undefined, phase: "ready", ...changes })

describe("the status of the page", () => {
  it("is live while words come, and says nothing else", () => {
    assert.deepStrictEqual(known(), { state: "live", word: "Live", old: false, banner: undefined })
  })

  it("is old when the stream is silent, also while the connection seems to stand", () => {
    const silent = known({ age: STALE_AFTER + 1 })
    assert.deepStrictEqual([silent.state, silent.word, silent.old], ["lost", "Silent", true])
    assert.include(silent.banner, "The service says nothing. What you see is old by a few seconds")
  })

  it("is old at once when the connection is lost, and tells how old in steps", () => {
    const ages = [100, 30_000, 61_000, 600_000].map((age) => known({ link: "lost", age }))
    assert.isTrue(ages.every(({ old, word }) => old && word === "Reconnecting"))
    assert.deepStrictEqual(ages.map(({ banner }) => /old by (.*);/.exec(banner ?? "")?.[1]), [
      "a few seconds",
      "less than a minute",
      "1 minute",
      "10 minutes"
    ])
  })

  it("knows an end that was announced from a lost connection", () => {
    assert.include(known({ link: "lost", phase: "draining" }).banner, "The process was ending")
  })

  it("is old while the reader has it paused, whatever the connection does", () => {
    for (const link of ["live", "lost"] as const) {
      const { old, state } = known({ link, pausedAt: 0 })
      assert.deepStrictEqual([state, old], ["paused", true])
    }
  })

  it("calls nothing old before the first word", () => {
    assert.deepStrictEqual(known({ link: "connecting", age: undefined }).word, "Connecting")
    const unreachable = known({ link: "lost", age: undefined })
    assert.deepStrictEqual([unreachable.old, unreachable.banner], [
      false,
      "The service cannot be reached; trying again."
    ])
  })
})
