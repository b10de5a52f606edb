import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import * as ConnectionUrl from "../../src/backend/ConnectionUrl.ts"

const reader = new ConnectionUrl.Reader("Fake")

const address = (text: string) => reader.read(Redacted.make(text), (url) => reader.address(url, ["fake", "fakes"]))

const refusal = (take: (text: string) => unknown): string => {
  const result = reader.read(Redacted.make("s3cret"), take)
  return Result.isFailure(result) ? result.failure.message : assert.fail("it was accepted")
}

describe("A connection URL", () => {
  it("is taken apart, each part decoded", () => {
    const { password, search, ...rest } = Result.getOrThrow(address("fakes://a%40b:p%3Aw@[::1]:70/shop?x=1"))
    assert.deepStrictEqual(rest, { protocol: "fakes:", host: "::1", port: 70, username: "a@b", path: "shop" })
    assert.deepStrictEqual([password === undefined ? "" : Redacted.value(password), search.get("x")], ["p:w", "1"])
    assert.hasAllKeys(Result.getOrThrow(address("fake://")), ["protocol", "path", "search"])
  })

  const wrong = [
    "s3cret",
    "other://a:s3cret@b",
    "fake://a:s3/cret@b",
    "fake://a:s3?cret@b",
    "fake://a:s3#cret@b",
    "fake://a:s3cret@b:0",
    "fake://a:s3cret%ff@b"
  ]
  it.each(wrong)("is refused without being shown: %s", (text) => {
    const result = address(text)
    assert.isTrue(Result.isFailure(result))
    if (Result.isFailure(result)) assert.notMatch(result.failure.message, /s3|cret/)
  })

  it("names the parameter, its value and what is allowed", () => {
    assert.include(
      refusal(() => reader.whole("parameter \"max\"", "many", 1)),
      "Fake URL: parameter \"max\" is \"many\"; allowed is a whole number of 1 or more"
    )
    assert.include(refusal(() => reader.whole("port", "70000", 1, 65_535)), "from 1 to 65535")
    assert.include(refusal(() => reader.seconds("wait", "0")), "above 0, since nothing waits without a bound")
    assert.strictEqual(reader.seconds("wait", "0", "zero"), 0)
    assert.include(refusal(() => reader.flag("tls", "yes")), "allowed is true, false")
  })

  it("says of no other error what it says", () => {
    const quoting = refusal(() => {
      throw new Error("s3cret")
    })
    assert.include(quoting, "Fake URL: it is not valid")
  })

  it("has parameters that are read, others that have no effect, and shows the names of known ones only", () => {
    const into = { max: 0, warnings: new Array<string>() }
    const known: ConnectionUrl.Parameters<typeof into> = {
      max: (result, value) => {
        result.max = Number(value)
      }
    }
    const search = new URLSearchParams("max=1&max=2&family=4&s3cret=x&toString=y")
    reader.parameters(into, search, known, new Set(["family"]))
    assert.strictEqual(into.max, 2)
    assert.deepStrictEqual(into.warnings, [
      "the URL gives \"max\" 2 times; the last one counts",
      "the URL's parameter \"family\" has no effect",
      "a parameter of the URL that is not known has no effect",
      "a parameter of the URL that is not known has no effect"
    ])
  })
})
