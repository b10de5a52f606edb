/** The guides' values: one set for all environments, and the heartbeats that they recommend. */
import { Backends, Health, type Profile } from "@breakwater/core"
import { ConnectionManager } from "@breakwater/websocket"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer, Logger } from "effect"
import { resolve } from "../src/internal/settings.ts"

interface Values {
  readonly max: number
  readonly times: ReadonlyArray<number>
  readonly warnings: ReadonlyArray<string>
}

/** Times in seconds. */
const valuesOf = (options: Partial<ConnectionManager.Options>): Values => {
  const { answer, idle, interval, max, warnings } = resolve({ name: "feed", ...options })
  return { max, times: [interval, answer, idle].map((millis) => millis / 1000), warnings }
}

const usual: Values = { max: 1000, times: [60, 10, 300], warnings: [] }

const profiles: ReadonlyArray<readonly [Profile.Profile | undefined, Values]> = [
  [undefined, usual],
  ["development", usual],
  ["staging", usual],
  ["production", usual],
  ["serverless", { ...usual, times: [10, 5, 10] }]
]

describe("The profile", () => {
  it.each(profiles)("has these values where nobody says otherwise: %s", (profile, expected) => {
    assert.deepStrictEqual(valuesOf({ profile }), expected)
  })

  it("is beaten by the options", () => {
    assert.deepStrictEqual(valuesOf({ profile: "serverless", idleTimeout: "5 minutes" }), usual)
  })

  it("is refused where there is no such, by the call", () => {
    const options = { name: "feed", profile: "prod" }
    // As a program in JavaScript may give it.
    assert.throws(
      () => ConnectionManager.make(options as ConnectionManager.Options),
      RangeError,
      "Option \"profile\" is \"prod\""
    )
  })

  it.effect.each(["BREAKWATER_PROFILE", "ENVIRONMENT", "NODE_ENV"])(
    "is read by layerConfig from %s, and is in the ready line and in what health says",
    (variable) =>
      Effect.gen(function*() {
        const lines: Array<string> = []
        const logger = Logger.make<unknown, void>((entry) =>
          void lines.push(String(Logger.formatStructured.log(entry).message))
        )
        const layer = ConnectionManager.layerConfig({
          name: Config.succeed("feed"),
          poolType: Config.succeed("eu-west")
        })
        const { backends } = yield* Effect.andThen(Layer.build(layer), Health.check()).pipe(
          Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ [variable]: "serverless" }))),
          Effect.provide(Logger.layer([logger])),
          Backends.isolated
        )
        assert.strictEqual(backends["feed"]?.profile, "serverless")
        assert.includeMembers(lines[0]?.split(" ") ?? [], ["idle=10s", "profile=serverless", "pool_type=eu-west"])
      })
  )
})

describe("The guides' heartbeats", () => {
  it.each([["default", 60], ["reliable", 30], ["light", 120]])("can be set: %s", (_, seconds) => {
    const found = valuesOf({ heartbeat: { interval: seconds * 1000 } })
    assert.deepStrictEqual([found.times[0], found.warnings], [seconds, []])
  })
})
