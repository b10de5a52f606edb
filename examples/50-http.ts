// Two upstreams behind one client: one that is well, and one that is slow, fails, goes away and comes back.
import { Http, HttpError } from "@breakwater/http"
import { FakeHttp } from "@breakwater/testing"
import { Console, Effect, Option, References } from "effect"
import type { HttpClientError } from "effect/http"

const print = (error: HttpClientError.HttpClientError) =>
  Option.match(HttpError.fromHttpClientError(error), {
    onNone: () => Console.log(`  ${error.message}`),
    onSome: ({ message, reason }) => Console.log(`  ${reason._tag}: ${message}`)
  })

const program = Effect.gen(function*() {
  const shipping = yield* FakeHttp.make(() => ({ body: "on its way" }))
  const payments = yield* FakeHttp.make()
  const http = yield* Http.make({
    name: "upstreams",
    pool: { size: { max: 20, perOrigin: 4 }, wait: { timeout: "200 millis" } },
    time: { headers: "1 second" },
    policy: {
      deadline: "5 seconds",
      timeout: "300 millis",
      retry: { times: 2 },
      breaker: { window: 10, minimumCalls: 9, openFor: "500 millis" }
    }
  })
  const get = (url: string) => Effect.flatMap(http.client.get(url), (response) => response.text)

  console.log("A hundred requests, four connections:")
  yield* Effect.forEach(Array.from({ length: 100 }), () => get(shipping.url), { concurrency: 4 })
  console.log(`  the server accepted ${(yield* shipping.stats).accepted}`)

  console.log("503 with retry-after, then an answer: the client waited as it was asked to")
  yield* payments.script(FakeHttp.inTurn({ status: 503, headers: { "retry-after": "1" } }, { body: "paid" }))
  console.log(`  ${yield* get(payments.url)}`)

  console.log("No answer in time: a GET is tried three times, a POST once")
  yield* payments.script(() => ({ headersAfter: Infinity }))
  yield* Effect.catch(get(payments.url), print)
  yield* Effect.catch(http.client.post(payments.url), print)

  console.log("Gone: after a few failures nobody asks any more, and the other upstream does not notice")
  yield* payments.kill
  for (let n = 0; n < 3; n++) yield* Effect.catch(get(payments.url), print)
  console.log(`  shipping: ${yield* get(shipping.url)}`)

  console.log("Back again:")
  yield* payments.restore
  yield* payments.script(() => ({ body: "paid" }))
  yield* Effect.sleep("600 millis")
  // The circuit closes once three calls have gone well.
  for (let n = 0; n < 3; n++) console.log(`  ${yield* get(payments.url)}`)

  for (const { active, circuit, idle, waiting } of (yield* http.stats).origins) {
    console.log(`  active ${active}, idle ${idle}, waiting ${waiting}, circuit ${circuit}`)
  }
})

await program.pipe(
  Effect.scoped,
  Effect.provideService(References.MinimumLogLevel, "Warn"),
  Effect.runPromise
)
