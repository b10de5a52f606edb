import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import * as Backends from "../../src/backend/Backends.ts"
import { fakeBackend } from "./fakeBackend.ts"

const labels = Effect.map(Backends.list, (entries) => entries.map((entry) => entry.label))

describe("the registry of backends", () => {
  it.effect("has a backend from its registration to the end of its scope", () =>
    Backends.isolated(Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Effect.flatMap(fakeBackend("orders"), Backends.register)
        assert.deepStrictEqual(yield* labels, ["orders"])
      }))
      assert.deepStrictEqual(yield* labels, [])
    })))

  it.effect("tells two of one name apart, and warns", () => {
    const warnings: Array<unknown> = []
    const capture = Logger.make<unknown, void>(({ message }) => void warnings.push(message))
    return Effect.gen(function*() {
      const first = yield* fakeBackend("orders")
      const second = yield* fakeBackend("orders")
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
      yield* Effect.flatMap(fakeBackend("shared"), Backends.register)
      assert.include(yield* labels, "shared")
      assert.deepStrictEqual(yield* Backends.isolated(labels), [])
    }))
})
