/** A server in a thread of its own, so that it does not run in the time of the clients. Says its port when it listens. */
import * as FakeHttp from "@breakwater/testing/FakeHttp"
import * as Effect from "effect/Effect"
import { parentPort } from "node:worker_threads"

const headers = { "content-type": "application/json" }

const program = Effect.gen(function*() {
  const server = yield* FakeHttp.make(() => ({ headers, body: "{\"id\":1,\"name\":\"item 1\"}" }))
  // The rule is about windows, which have origins; this is a thread.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  yield* Effect.sync(() => parentPort?.postMessage(server.url))
  return yield* Effect.never
})

void Effect.runPromise(Effect.scoped(program))
