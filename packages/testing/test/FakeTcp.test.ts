import { FakeTcp } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"

describe("FakeTcp", () => {
  it.each([0, -1, Infinity, NaN])("refuses to accept %s connections a second", (rate) => {
    assert.throws(() => FakeTcp.acceptRate(rate, FakeTcp.echo), RangeError, `acceptRate: perSecond is ${rate}`)
  })

  it.each([-1, 1.5, Infinity])("refuses to fall silent after %s bytes", (bytes) => {
    assert.throws(() => FakeTcp.silentAfter(bytes, FakeTcp.echo), RangeError, `silentAfter: bytes is ${bytes}`)
  })
})
