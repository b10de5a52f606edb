import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Stream } from "effect"
import type { Backend } from "../../src/backend/Backend.ts"
import * as Backends from "../../src/backend/Backends.ts"
import * as Policy from "../../src/policy/Policy.ts"
import * as Pool from "../../src/pool/Pool.ts"

const backend = (name: string) =>
  Effect.map(Pool.make({ name, acquire: Effect.succeed(name), size: { max: 1 } }), (pool): Backend => ({
    name,
    kind: "fake",
    critical: true,
    stats: Pool.stats(pool),
    health: Effect.die("not asked for"),
    policy: Effect.sync(() => Policy.snapshot(Policy.make({ deadline: "1 second" }))),
    events: Stream.empty,
    warm: Pool.warm(pool),
    clear: (options) => Pool.clear(pool, options),
    drain: (deadline) => Pool.drain(pool, deadline)
  }))

const labels = Effect.map(Backends.list, (entries) => entries.map((entry) => entry.label))

describe("the registry of backends", () => {
  it.effect("has a backend from its registration to the end of its scope", () =>
    Backends.isolated(Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Effect.flatMap(backend("orders"), Backends.register)
        assert.deepStrictEqual(yield* labels, ["orders"])
      }))
      assert.deepStrictEqual(yield* labels, [])
    })))

  it.effect("tells two of one name apart, and warns", () => {
    const warnings: Array<unknown> = []
    const capture = Logger.make<unknown, void>(({ message }) => void warnings.push(message))
    return Effect.gen(function*() {
      const first = yield* backend("orders")
      const second = yield* backend("orders")
      yield* Backends.register(first)
      yield* Backends.register(second)
      const entries = yield* Backends.list
      assert.deepStrictEqual(entries.map((entry) => [entry.label, entry.backend]), [
        ["orders", first],
        ["orders#2", second]
      ])
      assert.lengthOf(warnings, 1)
    }).pipe(Backends.isolated, Effect.provide(Logger.layer([capture])))
  })

  it.effect("is one per process unless isolated", () =>
    Effect.gen(function*() {
      yield* Effect.flatMap(backend("shared"), Backends.register)
      assert.include(yield* labels, "shared")
      assert.deepStrictEqual(yield* Backends.isolated(labels), [])
    }))
})
