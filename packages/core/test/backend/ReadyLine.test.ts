import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Logger } from "effect"
import type { Backend } from "../../src/backend/Backend.ts"
import * as Backends from "../../src/backend/Backends.ts"
import * as ReadyLine from "../../src/backend/ReadyLine.ts"
import * as Policy from "../../src/policy/Policy.ts"
import { fakeBackend } from "./fakeBackend.ts"

/** What a backend writes, as a logger of Effect's shows it. */
const written = <Line>(
  format: Logger.Logger<unknown, Line>,
  options: ReadyLine.Options,
  parts?: Partial<Backend>,
  name = "orders"
) =>
  Effect.gen(function*() {
    const lines: Array<Line> = []
    const logger = Logger.make<unknown, void>((entry) => void lines.push(format.log(entry)))
    const backend = yield* fakeBackend(name, parts)
    yield* Backends.register(backend)
    yield* Effect.provide(ReadyLine.write(backend, options), Logger.layer([logger]))
    assert.strictEqual(lines.length, 1)
    return lines[0]!
  })

const structured = (options: ReadyLine.Options, parts?: Partial<Backend>, name?: string) =>
  Effect.map(written(Logger.formatStructured, options, parts, name), ({ annotations, level, message }) => ({
    level,
    message,
    annotations
  }))

const common = { backend: "orders", kind: "fake", critical: true, pool_type: "primary", max: 3, min: 0, keep: 3 }

describe("The ready line", () => {
  it.effect("says in short what the backend is, and beside it what bounds it", () =>
    Effect.gen(function*() {
      const limits = { wait: Duration.seconds(10), dial: Duration.millis(500), timeout: undefined }
      const overrides = [{ setting: "pool.size.max", value: "3", profile: "50" }]
      const options = { at: "db:5432/shop", facts: { tls: "on", idle: Duration.minutes(2), replicas: 4 } }
      assert.deepStrictEqual(yield* structured(options, { limits, profile: "production", overrides }), {
        level: "INFO",
        message: "fake \"orders\" at db:5432/shop: max 3, min 0",
        annotations: {
          ...common,
          profile: "production",
          overrides: "pool.size.max 3 instead of 50",
          wait: "10s",
          dial: "500ms",
          timeout: "none",
          tls: "on",
          idle: "2m",
          replicas: 4
        }
      })
    }).pipe(Effect.scoped, Backends.isolated))

  it.effect("names every part that the policy shows, and that there is neither retry nor breaker", () =>
    Effect.gen(function*() {
      const of = (options: Policy.Options) => structured({ policy: Policy.snapshot(Policy.make(options)) })
      const all = yield* of({
        deadline: "10 seconds",
        timeout: "1 second",
        throttle: {},
        retry: { times: 2 },
        breaker: {},
        rateLimit: { limit: 5 },
        bulkhead: { permits: 7 }
      })
      assert.deepStrictEqual(all.annotations, {
        ...common,
        profile: "none",
        throttle: "on",
        retry_budget: 10,
        breaker: "closed",
        rate_limit: "on",
        bulkhead: 7
      })
      const hedged = yield* of({ hedge: { after: "20 millis" }, adaptiveLimit: { limit: { initial: 9 } } })
      assert.include(hedged.annotations, { hedge_after: "20ms", adaptive_limit: 9, breaker: "none" })
      assert.include((yield* of({ deadline: "1 second" })).annotations, { retry_budget: "none", breaker: "none" })
      const silent = yield* structured({})
      assert.doesNotHaveAnyKeys(silent.annotations, ["retry_budget", "breaker"])
    }).pipe(Effect.scoped, Backends.isolated))

  it.effect("has the label under which the backend is registered", () =>
    Effect.gen(function*() {
      yield* structured({}, {}, "cache")
      const second = yield* structured({}, {}, "cache")
      assert.strictEqual(second.annotations["backend"], "cache#2")
      assert.include(String(second.message), "\"cache#2\"")
    }).pipe(Effect.scoped, Backends.isolated))

  it.effect("is one field a fact for those who read logfmt", () =>
    Effect.gen(function*() {
      const line = yield* written(Logger.formatLogFmt, { facts: { max_waiting: 5, keep_alive: "off" } }, {
        limits: { wait: Duration.seconds(20) }
      })
      for (const field of ["backend=orders", "max=3", "wait=20s", "max_waiting=5", "keep_alive=off"]) {
        assert.include(line, ` ${field}`)
      }
    }).pipe(Effect.scoped, Backends.isolated))

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
