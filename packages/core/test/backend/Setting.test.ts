import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import * as Setting from "../../src/backend/Setting.ts"

const all = { option: ["size", 1], variable: ["SIZE", 2], url: ["pool_size", 3] } as const

describe("A setting", () => {
  it("is that of the option, then that of the variable, then that of the URL, then nobody's", () => {
    const choose = (sources: Setting.Sources<number>) => Setting.choose([], sources)
    assert.strictEqual(choose(all), 1)
    assert.strictEqual(choose({ ...all, option: ["size", undefined] }), 2)
    assert.strictEqual(choose({ option: ["size", undefined], url: all.url }), 3)
    assert.isUndefined(choose({ option: ["size", undefined] }))
  })

  it("that is given twice and different is a warning that names both, and only then", () => {
    const warnings: Array<string> = []
    Setting.choose(warnings, { ...all, url: ["pool_size", 1] })
    Setting.choose(warnings, { ...all, option: ["size", undefined] })
    assert.deepStrictEqual(warnings, [
      "the option size (1) and SIZE (2) differ; the option size counts",
      "SIZE (2) and the URL's pool_size (3) differ; SIZE counts"
    ])
  })

  it("that is an object is never shown", () => {
    const warnings: Array<string> = []
    Setting.choose<unknown>(warnings, { option: ["tls", { key: "s3cret" }], url: ["tls", false] })
    assert.deepStrictEqual(warnings, ["the option tls (given) and the URL's tls (false) differ; the option tls counts"])
  })

  it("that is a time is the same in all its forms, and has to be longer than zero", () => {
    const warnings: Array<string> = []
    const time = Setting.chooseTime(warnings, { option: ["wait", "2 seconds"], variable: ["WAIT", 2000] })
    assert.deepStrictEqual(time, Duration.seconds(2))
    assert.deepStrictEqual(warnings, [])
    assert.throws(() => Setting.chooseTime([], { option: ["wait", 0] }), RangeError, "Option \"wait\" is 0")
  })
})

describe("The limits of a call", () => {
  const defaults = { deadline: "60 seconds", timeout: "30 seconds", attempts: 2 } as const
  const limits = (given: Parameters<typeof Setting.limits>[0], others: Setting.LimitDefaults = defaults) => {
    const { deadline, timeout } = Setting.limits(given, others)
    return [Duration.toSeconds(deadline), timeout === undefined ? undefined : Duration.toSeconds(timeout)]
  }

  it("are the defaults, of which the timeout counts where it is the shorter one", () => {
    assert.deepStrictEqual(limits({}), [60, 30])
    assert.deepStrictEqual(limits({ deadline: "5 seconds" }), [5, undefined])
    assert.deepStrictEqual(limits({}, { deadline: "60 seconds" }), [60, undefined])
  })

  it("let the default deadline follow a longer timeout where there may be attempts, and never one that was given", () => {
    assert.deepStrictEqual(limits({ timeout: "50 seconds" }), [100, 50])
    assert.throws(
      () => limits({ deadline: "5 seconds", timeout: "5 seconds" }),
      RangeError,
      "Option \"policy.timeout\" is 5s; allowed is less than policy.deadline, which is 5s."
    )
    assert.throws(() => limits({ timeout: "60 seconds" }, { deadline: "60 seconds" }), RangeError)
  })

  it("tells what is not as the profile has it, both as text", () => {
    const settings = {
      "pool.size.max": [12, 50],
      "pool.wait.timeout": [Duration.seconds(20), Duration.seconds(20)],
      "pool.start": ["lazy", undefined]
    } as const
    assert.deepStrictEqual(Setting.overrides("production", settings), [
      { setting: "pool.size.max", value: "12", profile: "50" }
    ])
    assert.deepStrictEqual(Setting.overrides(undefined, settings), [])
  })
})
