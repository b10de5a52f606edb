import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import * as Url from "../src/internal/url.ts"

const parse = (url: string) => Result.getOrThrow(Url.parse(Redacted.make(url)))
const failure = (url: string) => {
  const parsed = Url.parse(Redacted.make(url))
  return Result.isFailure(parsed) ? parsed.failure.message : assert.fail("it is allowed")
}

describe("Url", () => {
  it("takes out what is a setting, and leaves the rest to the driver", () => {
    const url = "mongodb://app:p%40ss@a:27017,b:27018/shop?maxPoolSize=7&authSource=admin&ssl=true&replicaSet=rs0"
    const { database, hosts, settings, srv, uri, warnings } = parse(url)
    assert.deepStrictEqual(settings, { maxPoolSize: 7, tls: true })
    assert.deepStrictEqual([database, hosts, srv], ["shop", "a:27017,b:27018", false])
    assert.strictEqual(Redacted.value(uri), "mongodb://app:p%40ss@a:27017,b:27018/shop?authSource=admin&replicaSet=rs0")
    assert.deepStrictEqual(warnings, [])
  })

  it("accepts waitQueueMultiple, timeoutMS and what nobody knows with a word, and takes them out", () => {
    const { settings, uri, warnings } = parse("mongodb://db/?waitQueueMultiple=3&timeoutMS=100&shhh=1")
    assert.deepStrictEqual(settings, { waitQueueMultiple: 3 })
    assert.strictEqual(Redacted.value(uri), "mongodb://db/?")
    assert.deepStrictEqual(warnings, [
      "waitQueueMultiple of the URL is done by this package: the driver does not know it",
      "timeoutMS of the URL is taken out: the driver does not keep to it; policy.deadline is for that",
      "a parameter of the URL that is not known is taken out"
    ])
  })

  it("reads names without regard to case, and says which of several counts", () => {
    const { settings, warnings } = parse("mongodb://db/?MAXPOOLSIZE=1&MAXPOOLSIZE=2")
    assert.strictEqual(settings.maxPoolSize, 2)
    assert.deepStrictEqual(warnings, ["the URL gives \"maxPoolSize\" 2 times; the last one counts"])
  })

  it("warns of TLS that checks nothing", () => {
    const { uri, warnings } = parse("mongodb+srv://db.example.org/?tlsInsecure=true")
    assert.include(Redacted.value(uri), "tlsInsecure=true")
    assert.strictEqual(warnings.length, 1)
  })

  it("refuses what is out of range with the name, the value and what is allowed", () => {
    assert.include(
      failure("mongodb://db/?waitQueueTimeoutMS=0"),
      "parameter \"waitQueueTimeoutMS\" is \"0\"; allowed is a whole number of 1 or more"
    )
    assert.include(failure("mongodb://db/?retryWrites=maybe"), "allowed is true, false")
    assert.include(failure("mongodb://db/?zlibCompressionLevel=10"), "from -1 to 9")
    assert.include(failure("mongodb:///shop"), "its host")
    assert.include(failure("postgres://db/shop"), "allowed is mongodb, mongodb+srv")
  })

  it("does not let one word for TLS take back what another says", () => {
    for (const parameters of ["tls=true&ssl=false", "ssl=false&tls=true", "ssl=true&ssl=false", "SSL=true&ssl=false"]) {
      assert.include(failure(`mongodb://db/?${parameters}`), "what the URL says of TLS elsewhere")
    }
    assert.isTrue(parse("mongodb://db/?tls=true&ssl=true").settings.tls)
  })

  it("never shows a password, also one that is not encoded", () => {
    for (const password of ["s3cret/x", "s3cret?x", "s3cret#x", "s3cret@x", "s3cret%zz", "s3cret[x"]) {
      assert.notInclude(failure(`mongodb://app:${password}@db/shop`), "s3cret")
    }
  })
})
