import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { LookupAddress } from "node:dns"
import { DnsCache } from "../src/internal/dns.ts"
import type { Address } from "../src/internal/settings.ts"

const make = Effect.fnUntraced(function*(answers: () => Effect.Effect<ReadonlyArray<Address>, unknown>, ttl = 300) {
  const asked: Array<string> = []
  const resolve = (hostname: string) => {
    asked.push(hostname)
    return answers()
  }
  const clock = yield* Clock.Clock
  const cache = new DnsCache({ dnsTtl: Duration.seconds(ttl), resolve }, clock, (effect, done) => {
    Effect.runFork(effect).addObserver(done)
  })
  const lookup = (hostname: string, family: 0 | 4 | 6 = 0) =>
    Effect.callback<ReadonlyArray<string>, Error>((resume) => {
      cache.lookup(hostname, { all: true, family }, (error, found) => {
        // With `all` the addresses come as a list.
        if (error === null) resume(Effect.succeed((found as Array<LookupAddress>).map(({ address }) => address)))
        else resume(Effect.fail(error))
      })
    })
  return { cache, asked, lookup }
})

const four = (address: string): Address => ({ address, family: 4 })

describe("DnsCache", () => {
  it.effect("asks once while the addresses are young, and again when they are not", () =>
    Effect.gen(function*() {
      const { asked, lookup } = yield* make(() => Effect.succeed([four("10.0.0.1")]))
      yield* lookup("a.test")
      yield* TestClock.adjust("299 seconds")
      yield* lookup("a.test")
      assert.strictEqual(asked.length, 1)
      yield* TestClock.adjust("2 seconds")
      yield* lookup("a.test")
      assert.strictEqual(asked.length, 2)
    }))

  it.effect("asks every time with a time to live of zero", () =>
    Effect.gen(function*() {
      const { asked, lookup } = yield* make(() => Effect.succeed([four("10.0.0.1")]), 0)
      yield* lookup("a.test")
      yield* lookup("a.test")
      assert.strictEqual(asked.length, 2)
    }))

  it.effect("asks once for all who ask at the same time", () =>
    Effect.gen(function*() {
      const { asked, lookup } = yield* make(() => Effect.as(Effect.yieldNow, [four("10.0.0.1")]))
      yield* Effect.all([lookup("a.test"), lookup("a.test"), lookup("b.test")], { concurrency: "unbounded" })
      assert.deepStrictEqual(asked, ["a.test", "b.test"])
    }))

  it.effect("lets connections take turns over the addresses", () =>
    Effect.gen(function*() {
      const { lookup } = yield* make(() => Effect.succeed([four("10.0.0.1"), four("10.0.0.2")]))
      const firsts = yield* Effect.forEach([1, 2, 3], () => Effect.map(lookup("a.test"), ([first]) => first))
      assert.deepStrictEqual(firsts, ["10.0.0.1", "10.0.0.2", "10.0.0.1"])
    }))

  it.effect("gives only the family that is asked for", () =>
    Effect.gen(function*() {
      const { lookup } = yield* make(() => Effect.succeed([four("10.0.0.1"), { address: "::1", family: 6 }]))
      assert.deepStrictEqual(yield* lookup("a.test", 6), ["::1"])
    }))

  it.effect("forgets a name whose address did not answer", () =>
    Effect.gen(function*() {
      const { asked, cache, lookup } = yield* make(() => Effect.succeed([four("10.0.0.1")]))
      yield* lookup("a.test")
      cache.forget("a.test")
      yield* lookup("a.test")
      assert.strictEqual(asked.length, 2)
    }))

  it.effect("fails as a name that does not exist, and remembers no failure", () =>
    Effect.gen(function*() {
      let up = false
      const { lookup } = yield* make(() => up ? Effect.succeed([four("10.0.0.1")]) : Effect.fail("down"))
      assert.propertyVal(yield* Effect.flip(lookup("a.test")), "code", "ENOTFOUND")
      up = true
      assert.deepStrictEqual(yield* lookup("a.test"), ["10.0.0.1"])
    }))
})
