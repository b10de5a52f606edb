import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Logger, Redacted } from "effect"
import * as ConfigOptions from "../../src/backend/ConfigOptions.ts"
import type * as Setting from "../../src/backend/Setting.ts"

interface Given extends ConfigOptions.OptionalName<Setting.Common> {
  readonly url?: Redacted.Redacted | undefined
  readonly max?: number | undefined
  readonly retry?: { readonly times?: number | undefined } | false | undefined
}

/** What comes of an effect under some variables, and what it logs. */
const under = <A, E>(variables: Record<string, string>, effect: Effect.Effect<A, E>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  return Effect.map(effect, (value) => ({ value, lines })).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(variables)),
    Effect.provide(Logger.layer([logger]))
  )
}

const read = (wrapped: ConfigOptions.Wrap<Given>) =>
  ConfigOptions.readWithUrl<Given>("fake", "FAKE_URL", wrapped, "orders")

describe("Options of a provider", () => {
  it.effect("have the name of their service and the profile of the environment, unless they say otherwise", () =>
    Effect.gen(function*() {
      const variables = { ENVIRONMENT: "staging", FAKE_URL: "fake://a", MAX: "3" }
      const { value } = yield* under(variables, read({ max: Config.Int("MAX") }))
      assert.deepInclude(value, { name: "orders", profile: "staging", max: 3 })
      // A program in JavaScript, or one without `exactOptionalPropertyTypes`, hands over keys that hold nothing.
      const empty: object = { max: undefined }
      const own = read({ name: Config.succeed("own"), profile: Config.succeed("production"), ...empty })
      assert.deepInclude((yield* under(variables, own)).value, { name: "own", profile: "production" })
    }))

  it.effect("have a group that may be taken out by its settings, or without it", () =>
    Effect.gen(function*() {
      const variables = { FAKE_URL: "fake://a", TIMES: "3" }
      const some = yield* under(variables, read({ retry: { times: Config.Int("TIMES") } }))
      assert.deepInclude(some.value, { retry: { times: 3 } })
      const none = yield* under(variables, read({ retry: Config.succeed(false as const) }))
      assert.deepInclude(none.value, { retry: false })
    }))

  it.effect("take the URL of the variable, fail without any, and warn of two without showing either", () =>
    Effect.gen(function*() {
      const variables = { FAKE_URL: "fake://a:s3cret@b" }
      const { lines, value } = yield* under(variables, read({}))
      assert.deepStrictEqual([Redacted.value(value.url), lines], ["fake://a:s3cret@b", []])
      const none = yield* Effect.flip(under({}, read({})))
      assert.include(none.message, "fake \"orders\": neither the option url nor the variable FAKE_URL is set")
      const both = yield* under(variables, read({ url: Config.succeed(Redacted.make("fake://c:s3cret@d")) }))
      assert.strictEqual(Redacted.value(both.value.url), "fake://c:s3cret@d")
      assert.deepStrictEqual(both.lines, ["fake \"orders\": the option url and FAKE_URL differ; the option counts"])
    }))

  it.effect("read how many processes there are, and warn of two numbers", () =>
    Effect.gen(function*() {
      const variables = { BREAKWATER_REPLICAS: "4" }
      const of = (replicas?: number) => ConfigOptions.replicas("fake", { name: "orders", replicas })
      assert.isUndefined((yield* under({}, of())).value)
      assert.deepStrictEqual(yield* under(variables, of()), { value: 4, lines: [] })
      assert.deepStrictEqual(yield* under(variables, of(2)), {
        value: 2,
        lines: [
          "fake \"orders\": the option replicas (2) and BREAKWATER_REPLICAS (4) differ; the option replicas counts"
        ]
      })
      assert.include(
        (yield* Effect.flip(under({ BREAKWATER_REPLICAS: "0" }, of()))).message,
        "BREAKWATER_REPLICAS is 0"
      )
    }))

  it.effect("read whole numbers that are large enough", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* under({ SIZE: "2" }, ConfigOptions.whole("SIZE", 2))).value, 2)
      assert.isUndefined((yield* under({}, ConfigOptions.whole("SIZE", 2))).value)
      const small = yield* Effect.flip(under({ SIZE: "1" }, ConfigOptions.whole("SIZE", 2)))
      assert.include(small.message, "SIZE is 1; allowed is a whole number of 2 or more")
      assert.include((yield* Effect.flip(under({ SIZE: "2.5" }, ConfigOptions.whole("SIZE", 2)))).message, "SIZE")
    }))

  it.effect("read seconds above zero as milliseconds", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* under({ WAIT: "2.5" }, ConfigOptions.seconds("WAIT"))).value, 2500)
      assert.isUndefined((yield* under({}, ConfigOptions.seconds("WAIT"))).value)
      const zero = yield* Effect.flip(under({ WAIT: "0" }, ConfigOptions.seconds("WAIT")))
      assert.include(zero.message, "WAIT is 0; allowed is a number of seconds above 0")
    }))

  it.effect("that are out of range fail typed, and other throws do not show what they say", () =>
    Effect.gen(function*() {
      const made = (error: Error) =>
        Effect.flip(ConfigOptions.make("Fake", (): Effect.Effect<void> => {
          throw error
        }))
      assert.include((yield* made(new RangeError("max is 0"))).message, "max is 0")
      assert.include((yield* made(new Error("s3cret"))).message, "Fake: the options are not valid")
    }))
})
