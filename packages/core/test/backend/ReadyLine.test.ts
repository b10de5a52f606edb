import { assert, describe, it } from "@effect/vitest"
import { Console, Duration, Effect, Logger } from "effect"
import type { Backend } from "../../src/backend/Backend.ts"
import * as Backends from "../../src/backend/Backends.ts"
import * as ReadyLine from "../../src/backend/ReadyLine.ts"
import * as Policy from "../../src/policy/Policy.ts"
import { fakeBackend } from "./fakeBackend.ts"

/** What a backend writes to the console by a logger of Effect's: each of its calls. */
const written = (
  logger: Logger.Logger<unknown, void>,
  options: ReadyLine.Options,
  parts?: Partial<Backend>,
  name = "orders"
) =>
  Effect.gen(function*() {
    const calls: Array<string> = []
    const console: Console.Console = {
      ...globalThis.console,
      log: (...values: ReadonlyArray<unknown>) => void calls.push(values.map(String).join(" ")),
      group: () => {},
      groupEnd: () => {}
    }
    const backend = yield* fakeBackend(name, parts)
    yield* Backends.register(backend)
    yield* ReadyLine.write(backend, options).pipe(
      Effect.provide(Logger.layer([logger])),
      Effect.provideService(Console.Console, console)
    )
    return calls
  })

const plain = Logger.withConsoleLog(
  Logger.map(Logger.formatStructured, ({ level, message }) => `${level} ${String(message)}`)
)

/** With nothing but the level before it. */
const line = (options: ReadyLine.Options, parts?: Partial<Backend>, name?: string) =>
  Effect.map(written(plain, options, parts, name), ([first, ...others]) => {
    assert.deepStrictEqual(others, [])
    return first
  })

describe("The ready line", () => {
  it.effect("says what the backend is, where it leads to and what bounds it", () =>
    Effect.gen(function*() {
      const limits = { wait: Duration.seconds(10), dial: Duration.millis(500), timeout: undefined }
      const overrides = [{ setting: "pool.size.max", value: "3", profile: "50" }]
      const options = { at: "db:5432/shop", facts: { tls: "on", idle: Duration.minutes(2), replicas: 4 } }
      assert.strictEqual(
        yield* line(options, { limits, profile: "production", overrides }),
        "INFO fake \"orders\" at db:5432/shop ready: max=3 min=0 wait=10s dial=500ms profile=production overrides=\"pool.size.max 3 instead of 50\" tls=on idle=2m replicas=4"
      )
    }).pipe(Effect.scoped, Backends.isolated))

  it.effect("leaves out what is as it usually is", () =>
    Effect.gen(function*() {
      const usual = yield* line({ policy: Policy.snapshot(Policy.make({ deadline: "1 second" })) })
      assert.strictEqual(usual, "INFO fake \"orders\" ready: max=3 min=0")
      const { stats } = yield* fakeBackend("other")
      const parts = { critical: false, poolType: "eu-west", stats: Effect.map(stats, (of) => ({ ...of, keep: 2 })) }
      assert.strictEqual(
        yield* line({}, parts, "orders eu"),
        "INFO fake \"orders eu\" ready: max=3 min=0 keep=2 critical=false pool_type=eu-west"
      )
    }).pipe(Effect.scoped, Backends.isolated))

  it.effect("names every part that the policy shows", () =>
    Effect.gen(function*() {
      const of = (options: Policy.Options, name: string) =>
        line({ policy: Policy.snapshot(Policy.make(options)) }, {}, name)
      const several: Policy.Options = {
        deadline: "10 seconds",
        timeout: "1 second",
        throttle: {},
        retry: { times: 2 },
        breaker: {},
        rateLimit: { limit: 5 },
        bulkhead: { permits: 7 }
      }
      const parts = "retry_budget=10 breaker=closed throttle=on rate_limit=on bulkhead=7"
      assert.strictEqual(yield* of(several, "first"), `INFO fake "first" ready: max=3 min=0 ${parts}`)
      const hedged = yield* of({ hedge: { after: "20 millis" }, adaptiveLimit: { limit: { initial: 9 } } }, "second")
      assert.match(hedged ?? "", / hedge_after=20ms adaptive_limit=9$/)
    }).pipe(Effect.scoped, Backends.isolated))

  it.effect("has the label under which the backend is registered", () =>
    Effect.gen(function*() {
      yield* line({}, {}, "cache")
      assert.include(yield* line({}, {}, "cache"), "fake \"cache#2\" ready: ")
    }).pipe(Effect.scoped, Backends.isolated))

  for (
    const [name, logger] of Object.entries({
      default: Logger.defaultLogger,
      pretty: Logger.consolePretty({ mode: "tty", colors: false }),
      logfmt: Logger.consoleLogFmt,
      json: Logger.consoleJson
    })
  ) {
    it.effect(`is one line with Effect's logger, also for what has line breaks: ${name}`, () =>
      Effect.gen(function*() {
        const facts = { max_waiting: 5, said: "first\nsecond" }
        const calls = yield* written(logger, { at: "db\n:5432", facts }, { limits: { wait: Duration.seconds(20) } })
        assert.strictEqual(calls.length, 1)
        assert.notInclude(calls[0], "\n")
        assert.match(calls[0] ?? "", /ready: max=3 min=0 wait=20s max_waiting=5 said=/)
      }).pipe(Effect.scoped, Backends.isolated))
  }

  it("says when certificates are not checked", () => {
    assert.deepStrictEqual(
      [
        ReadyLine.tls(false),
        ReadyLine.tls(true),
        ReadyLine.tls(true, {}),
        ReadyLine.tls(true, {
          rejectUnauthorized: false
        })
      ],
      ["off", "on", "on", "on, certificate not checked"]
    )
  })
})
