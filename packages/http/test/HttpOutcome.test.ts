import { Outcome } from "@breakwater/core"
import { HttpError, HttpOutcome } from "@breakwater/http"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Exit } from "effect"
import { HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"

const request = HttpClientRequest.get("http://shop.test/a?token=s3cret")

const respond = (status: number, headers: Record<string, string> = {}) =>
  HttpClientResponse.fromWeb(request, new Response(null, { status, headers }))

const millis = (headers: Record<string, string>, now?: number) => {
  const found = HttpOutcome.retryAfter(headers, now)
  return found === undefined ? undefined : Duration.toMillis(found)
}

describe("HttpOutcome", () => {
  it("counts 429 and 503 as overload, 408 and the other 5xx as failures, and every other answer as a success", () => {
    const tags = [200, 301, 404, 408, 429, 500, 502, 503, 504].map((status) =>
      HttpOutcome.fromExit(Exit.succeed(respond(status)))._tag
    )
    assert.deepStrictEqual(tags, [
      "Success",
      "Success",
      "Success",
      "Failure",
      "Overload",
      "Failure",
      "Failure",
      "Overload",
      "Failure"
    ])
  })

  it("carries what retry-after says into the overload", () => {
    const outcome = HttpOutcome.fromExit(Exit.succeed(respond(503, { "retry-after": "7" })))
    assert.deepStrictEqual(outcome, Outcome.overload("yes", Duration.seconds(7)))
  })

  it("reads retry-after in seconds and as a date, never beyond a minute", () => {
    const at = "Wed, 21 Oct 2015 07:28:10 GMT"
    assert.strictEqual(millis({ "retry-after": "3" }), 3000)
    assert.strictEqual(millis({ "retry-after": "86400" }), 60_000)
    assert.strictEqual(millis({ "retry-after": at }, Date.parse("Wed, 21 Oct 2015 07:28:00 GMT")), 10_000)
    assert.strictEqual(millis({ "retry-after": at }, Date.parse("Wed, 21 Oct 2015 07:29:00 GMT")), 0)
  })

  it("compares a date with the server's own clock, which may differ from ours", () => {
    const headers = { "retry-after": "Wed, 21 Oct 2015 07:28:10 GMT", date: "Wed, 21 Oct 2015 07:28:05 GMT" }
    assert.strictEqual(millis(headers, 0), 5000)
  })

  it("takes a retry-after that cannot be read for none", () => {
    for (const text of ["", "soon", "-1", "1.5"]) assert.isUndefined(millis({ "retry-after": text }, undefined))
  })

  it("counts a failed request as the error inside it says", () => {
    const lost = new HttpError.HttpError({
      _tag: "ConnectionLost",
      client: "payments",
      origin: "http://shop.test",
      during: "request",
      sent: "no",
      reused: false,
      cause: new Error("reset")
    })
    const reason = new HttpClientError.TransportError({ request, cause: lost })
    const exit = Exit.fail(new HttpClientError.HttpClientError({ reason }))
    assert.deepStrictEqual(HttpOutcome.fromExit(exit), Outcome.failure("no"))
  })

  it("counts a status that the program made an error of as that status", () => {
    const reason = new HttpClientError.StatusCodeError({ request, response: respond(503, { "retry-after": "1" }) })
    const outcome = HttpOutcome.fromExit(Exit.fail(new HttpClientError.HttpClientError({ reason })))
    assert.deepStrictEqual(outcome, Outcome.overload("yes", Duration.seconds(1)))
  })

  it("leaves defects and interruptions to the general rule", () => {
    assert.deepStrictEqual(HttpOutcome.fromExit(Exit.failCause(Cause.interrupt(1))), Outcome.ignored("unknown"))
    assert.deepStrictEqual(HttpOutcome.fromExit(Exit.die(new Error("bug"))), Outcome.failure("unknown"))
  })
})
