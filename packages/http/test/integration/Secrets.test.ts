/** Nothing secret of a URL, a header or a body shows in what anybody may read. */
import { Backends, Health } from "@breakwater/core"
import { Http, HttpError, HttpOutcome } from "@breakwater/http"
import { FakeHttp, Witness } from "@breakwater/testing"
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Redacted, Stream } from "effect"
import { HttpClientRequest, UrlParams } from "effect/http"

const script: FakeHttp.Script = ({ path }) => {
  if (path.includes("reset")) return { reset: true }
  return path.includes("gzip")
    ? { body: "s3cret", headers: { "content-encoding": "gzip" } }
    : { status: 500, body: "s3cret" }
}

const paths = ["/reset?token=s3cret", "/gzip?token=s3cret", ...Array.from({ length: 3 }, () => "/?token=s3cret")]

const secret = HttpClientRequest.setHeaders({ authorization: "Bearer s3cret", "x-api-key": "s3cret" })

it.live("shows no secret in any error, log, event, span or health body", () =>
  Effect.gen(function*() {
    const { listen, said, see } = yield* Witness.make
    const server = yield* FakeHttp.make(script)
    const options: Http.Options = {
      name: "payments",
      url: Redacted.make(`http://s3cret-user:s3cret-password@127.0.0.1:${server.port}/`),
      policy: { breaker: { window: 3, minimumCalls: 3, openFor: "1 minute" } }
    }
    yield* Effect.gen(function*() {
      const http = yield* Http.make(options)
      yield* Effect.forkChild(Stream.runForEach(http.backend.events, (event) => Effect.sync(() => see(event))), {
        startImmediately: true
      })
      for (const path of paths) {
        const request = HttpClientRequest.bodyText(secret(HttpClientRequest.post(path)), "s3cret")
        const exit = yield* Effect.exit(Effect.flatMap(http.client.execute(request), (response) => response.json))
        see(HttpOutcome.fromExit(exit))
        if (Exit.isSuccess(exit)) continue
        for (const reason of exit.cause.reasons) {
          if (reason._tag === "Fail") see(HttpError.fromHttpClientError(reason.error))
        }
      }
      yield* server.kill
      for (const shown of [http.health, http.stats, http.backend.policy, Health.check()]) see(yield* shown)
      for (const value of [options, http.backend]) see(value)
    }).pipe(
      listen,
      Effect.scoped,
      Backends.isolated,
      // What Effect's tracing of requests leaves out of their URLs is for the program to say.
      Effect.provideService(UrlParams.CurrentRedactedNames, ["token"])
    )
    for (const word of ["ConnectionLost", "Returned", "unhealthy", "http.request.method"]) {
      assert.include(said(), word)
    }
    assert.notInclude(said(), "s3cret")
    assert.notInclude(said(), btoa("s3cret-user:s3cret-password"))
  }))
