import { Rejection } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"

describe("A rejection", () => {
  it("is the very thing that the promise rejects with, and none where it resolves", async () => {
    const mine = new Error("mine")
    assert.strictEqual(await Rejection.rejection(Promise.reject(mine)), mine)
    const none = await Rejection.rejection(Rejection.rejection(Promise.resolve(1)))
    assert.strictEqual(String(none), "Error: it resolved")
  })
})
