import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Logger, Option } from "effect"
import * as Profile from "../../src/backend/Profile.ts"

const read = (variables: Record<string, string>) =>
  Effect.provideService(Profile.fromConfig, ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(variables))

describe("the profile", () => {
  it.effect("is the first that is set of the three variables", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* read({}), Option.none())
      assert.deepStrictEqual(yield* read({ NODE_ENV: "production" }), Option.some("production"))
      assert.deepStrictEqual(yield* read({ NODE_ENV: "production", ENVIRONMENT: "staging" }), Option.some("staging"))
      assert.deepStrictEqual(
        yield* read({ NODE_ENV: "production", ENVIRONMENT: "staging", BREAKWATER_PROFILE: "development" }),
        Option.some("development")
      )
    }))

  it.effect.each(Profile.profiles)("is found by its name in each: %s", (profile) =>
    Effect.gen(function*() {
      for (const variable of ["BREAKWATER_PROFILE", "ENVIRONMENT", "NODE_ENV"]) {
        assert.deepStrictEqual(yield* read({ [variable]: profile }), Option.some(profile))
      }
    }))

  it("serverless is small, begins with nothing, and lets go soon", () => {
    assert.deepStrictEqual(Profile.serverless, { min: 0, max: 2, idle: Duration.seconds(10), start: "lazy" })
  })

  it("has the values of its preset, others where there is none, and is refused where there is no such", () => {
    const presets = { development: 1, staging: 2, production: 3, serverless: 4 }
    assert.deepStrictEqual(Profile.profiles.map((profile) => Profile.valuesOf(presets, profile, 0)), [1, 2, 3, 4])
    assert.strictEqual(Profile.valuesOf(presets, undefined, 0), 0)
    // As a program in JavaScript may give it.
    const unknown = "prod" as Profile.Profile
    assert.throws(() => Profile.valuesOf(presets, unknown, 0), RangeError, "Option \"profile\" is \"prod\"")
  })

  it.effect("fails for an unknown name in its own variable", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(read({ BREAKWATER_PROFILE: "prod" }))
      assert.include(error.message, "BREAKWATER_PROFILE")
    }))

  it.effect("is development, with a warning, for an unknown name in the others", () => {
    const warnings: Array<unknown> = []
    const capture = Logger.make<unknown, void>(({ message }) => void warnings.push(String(message)))
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* read({ NODE_ENV: "test" }), Option.some("development"))
      assert.deepStrictEqual(warnings, ["NODE_ENV is \"test\", which is no profile: using development"])
    }).pipe(Effect.provide(Logger.layer([capture])))
  })
})
