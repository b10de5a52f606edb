import { Ops } from "@breakwater/ops"
import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"

describe("options", () => {
  const refused = (options: Ops.Options, message: RegExp) =>
    assert.throws(() => Ops.layer(options), RangeError, message)

  it("that are not allowed are refused by the call, with their name and what is allowed", () => {
    refused({ token: Redacted.make("short") }, /"token" is "given"; allowed is 16 or more visible ASCII/)
    refused({ token: Redacted.make("sixteen letters, but with spaces") }, /"token" is "given"/)
    refused(
      { token: Redacted.make("0123456789abcdef"), authorize: () => true },
      /"authorize".*one of token and authorize/
    )
    refused({ prefix: "internal" }, /"prefix" is "internal"; allowed is a path/)
    refused({ prefix: "/internal/" }, /"prefix"/)
    refused({ service: "" }, /"service"/)
    refused({ maxDashboards: 0 }, /"maxDashboards" is 0/)
    assert.throws(() => Ops.logStats(0), RangeError, /"every"/)
  })

  it("never show the token", () => {
    assert.throws(() => Ops.layer({ token: Redacted.make("secret words") }), /^(?!.*secret)/)
  })
})
