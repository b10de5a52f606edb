import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import { inspect } from "node:util"
import * as Url from "../src/internal/url.ts"

const parse = (text: string) => Url.parse(Redacted.make(text))

const refusal = (text: string): string => {
  const parsed = parse(text)
  return Result.isFailure(parsed) ? String(parsed.failure) : assert.fail("it was accepted")
}

describe("A Redis URL", () => {
  it("is taken apart", () => {
    const url = Result.getOrThrow(parse("redis://app:p%40ss@[::1]:7000/3"))
    assert.strictEqual(url.host, "::1")
    assert.strictEqual(url.port, 7000)
    assert.strictEqual(url.database, 3)
    assert.strictEqual(url.username, "app")
    assert.strictEqual(url.password === undefined ? "" : Redacted.value(url.password), "p@ss")
    assert.isUndefined(url.tls)
  })

  it("carries settings, times in seconds", () => {
    const url = Result.getOrThrow(
      parse("redis://h?db=2&max_connections=20&connect_timeout=1.5&socket_timeout=3&ssl=true")
    )
    assert.include(url, { database: 2, maxConnections: 20, connectTimeout: 1500, socketTimeout: 3000, tls: true })
    assert.deepStrictEqual(url.warnings, [])
  })

  it.each([
    "rediss://h",
    "redis://h?ssl=true",
    "redis://h?tls=true",
    "rediss://h?ssl=true",
    "redis://h?tls=false&ssl=true"
  ])(
    "asks for TLS: %s",
    (text) => assert.isTrue(Result.getOrThrow(parse(text)).tls)
  )

  it.each([
    ["redis://h?ssl=maybe", "\"ssl\" is \"maybe\""],
    ["rediss://h?ssl=false", "rediss"],
    ["redis://h?max_connections=1", "max_connections"],
    ["redis://h?socket_timeout=0", "socket_timeout"],
    ["redis://h?connect_timeout=x", "connect_timeout"],
    ["redis://h?db=-1", "database"],
    ["redis://h/x", "database"],
    ["http://h", "protocol"],
    ["nothing", "its text"]
  ])("is refused, by the name of the part: %s", (text, part) => assert.include(refusal(text), part))

  it.each([
    "redis://u:hunter2@h/d/hunter2",
    "redis://u:hunter2#hunter2@h",
    "redis://u:hunter2@h:99999",
    "redis://u:hunter2%zz@h",
    "redis://u:1/hunter2@h",
    "redis://u:hunter2@h/hunter2"
  ])("is refused without its password: %s", (text) => {
    const parsed = parse(text)
    assert.isTrue(Result.isFailure(parsed))
    assert.notInclude(inspect(parsed, { depth: 10, showHidden: true }), "hunter2")
  })

  it("warns of what has no effect, by name only where the name is known", () => {
    const { warnings } = Result.getOrThrow(parse("redis://h?ssl_cert_reqs=none&hunter2=1&db=1&db=2"))
    assert.deepStrictEqual(warnings, [
      "the URL's parameter \"ssl_cert_reqs\" has no effect",
      "a parameter of the URL that is not known has no effect",
      "the URL gives \"db\" 2 times; the last one counts"
    ])
  })
})
