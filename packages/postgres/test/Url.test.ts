import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import * as Url from "../src/internal/url.ts"

const parse = (text: string) => Url.parse(Redacted.make(text))

const read = (text: string) => Result.getOrThrow(parse(text))

const refusal = (text: string): string => {
  const parsed = parse(text)
  return Result.isFailure(parsed) ? parsed.failure.message : assert.fail("it was accepted")
}

describe("A Postgres URL", () => {
  it("says where the server is and who asks", () => {
    const { password, ...rest } = read(
      "postgres://app:p%40ss@db:6000/shop?application_name=till&options=-c%20geqo%3Doff"
    )
    assert.deepStrictEqual(rest, {
      host: "db",
      port: 6000,
      username: "app",
      database: "shop",
      applicationName: "till",
      options: "-c geqo=off",
      warnings: []
    })
    assert.strictEqual(Redacted.value(password!), "p@ss")
  })

  it("takes an IPv6 address, and a socket's folder", () => {
    assert.strictEqual(read("postgresql://app@[::1]:5433/shop").host, "::1")
    assert.strictEqual(read("postgres://app@%2Frun%2Fpg/shop").host, "/run/pg")
    assert.strictEqual(read("postgres:///shop?host=/run/pg").host, "/run/pg")
  })

  it("gives the guide's parameters, times in seconds", () => {
    const url = read(
      "postgres://db/shop?connection_limit=50&pool_timeout=20&connect_timeout=10&socket_timeout=30&pgbouncer=true&sslmode=require"
    )
    assert.include(url, {
      connectionLimit: 50,
      poolTimeout: 20_000,
      connectTimeout: 10_000,
      socketTimeout: 30_000,
      pgbouncer: true,
      ssl: true
    })
  })

  it("says where several servers are, as libpq does", () => {
    const others = (text: string) => {
      const { host, others: rest = [], port, standbyFirst } = read(text)
      return [[host, port], ...rest.map((one) => [one.host, one.port]), ...standbyFirst === true ? ["standby"] : []]
    }
    assert.deepStrictEqual(others("postgres://app:p%2Cw@a:1,b,[::1]:3/shop"), [["a", 1], ["b", undefined], ["::1", 3]])
    assert.deepStrictEqual(others("postgres:///shop?host=a,b&port=1,2"), [["a", 1], ["b", 2]])
    assert.deepStrictEqual(others("postgres:///shop?host=a,b&port=1"), [["a", 1], ["b", 1]])
    assert.deepStrictEqual(others("postgres://a,b/?target_session_attrs=prefer-standby"), [
      ["a", undefined],
      ["b", undefined],
      "standby"
    ])
  })

  it("is refused where one of several hosts is none, without being shown", () => {
    for (const text of ["postgres://a,/shop", "postgres://a,b:s3cret/shop", "postgres://u:p,s3:cret/x@a/shop"]) {
      assert.notMatch(refusal(text), /s3|cret/)
    }
    assert.include(refusal("postgres:///shop?host=a,b,c&port=1,2"), "one for each of 3 hosts")
  })

  it("says which server will do, in the words of libpq", () => {
    assert.strictEqual(read("postgres://db/shop?target_session_attrs=read-write").role, "read-write")
    assert.strictEqual(read("postgres://db/shop?target_session_attrs=prefer-standby").role, "any")
    assert.include(refusal("postgres://db/shop?target_session_attrs=master"), `"target_session_attrs" is "master"`)
  })

  it("accepts 0 for socket_timeout only", () => {
    assert.strictEqual(read("postgres://db/shop?socket_timeout=0").socketTimeout, 0)
    for (const name of ["pool_timeout", "connect_timeout", "connection_limit"]) {
      assert.include(refusal(`postgres://db/shop?${name}=0`), `parameter "${name}" is "0"`)
    }
  })

  it("names the parameter, its value and what is allowed", () => {
    assert.strictEqual(
      refusal("postgres://db/shop?connection_limit=many"),
      "SourceError: Postgres URL: parameter \"connection_limit\" is \"many\"; allowed is a whole number of 1 or more"
    )
    assert.include(refusal("postgres://db/shop?pgbouncer=yes"), "allowed is true, false")
    assert.include(refusal("postgres://db/shop?sslmode=maybe"), "verify-full")
    assert.include(refusal("postgres://db/shop?sslmode=toString"), "verify-full")
    assert.include(refusal("postgres://db/shop?socket_timeout=-1"), "of 0 or more")
    assert.include(refusal("postgres://db/shop?pool_timeout="), "above 0")
  })

  it("means TLS by ssl=true as by sslmode=require, and does not let one take back what the other says", () => {
    assert.deepStrictEqual(
      ["ssl=true", "ssl=true&sslmode=verify-full", "ssl=false", "ssl=false&sslmode=disable"].map((parameters) =>
        read(`postgres://db/shop?${parameters}`).ssl
      ),
      [true, true, false, false]
    )
    const contradictions = ["ssl=true&sslmode=disable", "sslmode=prefer&ssl=true", "sslmode=require&ssl=false"]
    for (const parameters of [...contradictions, "ssl=true&ssl=false", "sslmode=require&sslmode=allow"]) {
      assert.include(refusal(`postgres://db/shop?${parameters}`), "what the URL says of TLS elsewhere")
    }
  })

  it("warns of a parameter that is given twice and different, and of what it does not know", () => {
    assert.deepStrictEqual(read("postgres://db/shop?connection_limit=1&connection_limit=2").warnings, [
      "the URL gives \"connection_limit\" 2 times; the last one counts"
    ])
    assert.deepStrictEqual(read("postgres://db/shop?schema=a&what=b").warnings, [
      "the URL's parameter \"schema\" has no effect",
      "a parameter of the URL that is not known has no effect"
    ])
  })

  it("shows nothing of a password, however it is written", () => {
    const secret = "s3cret"
    const texts = [
      `postgres://app:${secret}@[/shop`,
      `postgres://app:${secret}%zz@db/shop`,
      `postgres://app:1/${secret}@db/shop`,
      `postgres://app:1?${secret}@db/shop`,
      `postgres://app:1?${secret}&x@db/shop`,
      `postgres://app:1#${secret}@db/shop`,
      `${secret}://app@db/shop`,
      `mysql://app:${secret}@db/shop`,
      secret
    ]
    for (const text of texts) assert.notInclude(refusal(text), secret)
    assert.notInclude(JSON.stringify(read(`postgres://app:${secret}@db/shop`)), secret)
    assert.notInclude(JSON.stringify(read(`postgres://db/shop?${secret}=1`)), secret)
  })
})
