/** Other settings, and a circuit by hand, while requests are sent. */
import { PolicyError } from "@breakwater/core"
import type { Http } from "@breakwater/http"
import { FakeHttp } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import { failureOf, open, textOf } from "../utils/http.ts"

const silent: FakeHttp.Script = () => ({ headersAfter: Infinity })

const refusalOf = (http: Http.Http, url: string) =>
  Effect.map(
    failureOf(textOf(http, url)),
    (failure) => PolicyError.isPolicyError(failure) ? failure.reason : assert.fail(failure.message)
  )

const timeoutOf = (http: Http.Http, url: string) =>
  Effect.map(
    refusalOf(http, url),
    (reason) => reason._tag === "AttemptTimeout" ? Duration.toMillis(reason.timeout) : reason._tag
  )

const breakerOf = (http: Http.Http) => http.backend.breaker ?? assert.fail("there is no breaker")

describe("The policies of origins", () => {
  it.live("get other times: of those that are there, those that come, and those that come back", () =>
    Effect.gen(function*() {
      const [one, another] = [yield* FakeHttp.make(), yield* FakeHttp.make()]
      const http = yield* open({ pool: { size: { origins: 1 } }, policy: { timeout: "20 seconds", retry: false } })
      yield* textOf(http, one.url)
      http.backend.update?.({ timeout: "100 millis" })
      yield* one.script(silent)
      yield* another.script(silent)
      assert.strictEqual(yield* timeoutOf(http, one.url), 100)
      http.backend.update?.({ deadline: "10 seconds" })
      assert.strictEqual(yield* timeoutOf(http, another.url), 100)
      assert.strictEqual(yield* timeoutOf(http, one.url), 100)
      assert.deepInclude(http.backend.limits, { timeout: Duration.millis(100), deadline: Duration.seconds(10) })
    }))

  it.live("get them with several hosts, too, around the choice and behind it", () =>
    Effect.gen(function*() {
      const [one, another, other] = [
        yield* FakeHttp.make(silent),
        yield* FakeHttp.make(silent),
        yield* FakeHttp.make(silent)
      ]
      const hosts = [one, another].map(({ url }) => Redacted.make(url))
      const http = yield* open({ hosts, policy: { timeout: "20 seconds", retry: { times: 3 }, ejection: false } })
      http.backend.update?.({ timeout: "100 millis", retry: { times: 1 }, breaker: { window: 7 } })
      assert.strictEqual(yield* timeoutOf(http, "/"), 100)
      const { attempts, retries } = yield* http.backend.policy
      assert.deepStrictEqual([attempts, retries], [2, 1])
      assert.strictEqual(yield* timeoutOf(http, other.url), 100)
      const unbounded = yield* open({ hosts, policy: { ejection: false } })
      unbounded.backend.update?.({ deadline: "100 millis" })
      assert.strictEqual((yield* refusalOf(unbounded, "/"))._tag, "DeadlineExceeded")
      assert.strictEqual((yield* refusalOf(unbounded, other.url))._tag, "DeadlineExceeded")
    }))

  it.live("begin with the limits that the others were given", () =>
    Effect.gen(function*() {
      const [one, another] = [yield* FakeHttp.make(), yield* FakeHttp.make()]
      const http = yield* open({ policy: { adaptiveLimit: { limit: { initial: 10 } } } })
      yield* textOf(http, one.url)
      http.backend.update?.({ adaptiveLimit: { limit: { max: 3 } } })
      http.backend.update?.({ adaptiveLimit: { queue: 5 } })
      assert.strictEqual(yield* textOf(http, another.url), "ok")
      assert.isAtMost((yield* http.backend.policy).adaptiveLimit?.limit ?? Infinity, 3)
    }))

  it.live("tell the server of the new times, and end a body by them", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const http = yield* open({ policy: { timeout: "20 seconds", deadlineHeader: "x-deadline" } })
      const told = Effect.andThen(
        textOf(http, server.url),
        Effect.map(server.requests, (all) => Number(all.at(-1)?.headers["x-deadline"]))
      )
      assert.isAbove(yield* told, 10_000)
      http.backend.update?.({ timeout: "5 seconds" })
      assert.isAtMost(yield* told, 5000)
      http.backend.update?.({ deadline: "2 seconds", timeout: "1900 millis" })
      yield* server.script(() => ({ body: "never all of it", pieceAfter: Infinity }))
      const failure = yield* failureOf(textOf(http, server.url))
      assert.strictEqual(failure.reason._tag, "TotalTimeout")
    }))

  it.live("change in none of them where anything is refused", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const http = yield* open({ hosts: [Redacted.make(server.url)], policy: { timeout: "20 seconds" } })
      const before = http.backend.limits
      const refused = (changes: Parameters<NonNullable<typeof http.backend.update>>[0]) =>
        assert.throws(() => http.backend.update?.(changes), RangeError)
      refused({ timeout: "1 milli", retry: { times: -1 } })
      refused({ timeout: "1 milli", bulkhead: { permits: 1 } })
      // The one is around the choice of a host, the other behind it.
      refused({ deadline: "10 seconds" })
      assert.deepStrictEqual(http.backend.limits, before)
      assert.strictEqual(yield* textOf(http, "/"), "ok")
    }))

  it.live("have circuits that are forced open and let go together, those that come later among them", () =>
    Effect.gen(function*() {
      const [one, another] = [yield* FakeHttp.make(), yield* FakeHttp.make()]
      const http = yield* open()
      yield* textOf(http, one.url)
      yield* breakerOf(http).setMode("forcedOpen")
      assert.strictEqual((yield* refusalOf(http, one.url))._tag, "CircuitOpen")
      assert.strictEqual((yield* refusalOf(http, another.url))._tag, "CircuitOpen")
      yield* breakerOf(http).setMode("automatic")
      assert.strictEqual(yield* textOf(http, one.url), "ok")
      assert.strictEqual(yield* textOf(http, another.url), "ok")
    }))

  it.live("have circuits that are closed by hand", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(FakeHttp.inTurn({ status: 500 }, { body: "well" }))
      const http = yield* open({ policy: { retry: false, breaker: { consecutive: 1, openFor: "1 hour" } } })
      yield* textOf(http, server.url)
      assert.strictEqual((yield* refusalOf(http, server.url))._tag, "CircuitOpen")
      yield* breakerOf(http).reset
      assert.strictEqual(yield* textOf(http, server.url), "well")
      assert.isUndefined((yield* open({ policy: { breaker: false } })).backend.breaker)
    }))
})
