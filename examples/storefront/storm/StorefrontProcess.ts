/** The storefront as a process of its own, as it runs in earnest: signals are real, and it can be counted from outside. */
import { Data, Deferred, Effect, Stream } from "effect"
import * as Child from "./Child.ts"

/** The storefront did not start, or ended before it was told to. */
export class StorefrontEnded extends Data.TaggedError("StorefrontEnded")<{ readonly output: ReadonlyArray<string> }> {
  override get message() {
    return `The storefront did not start, or ended by itself. What it said last:\n${this.output.join("\n")}`
  }
}

const KEPT_LINES = 20
const START_LIMIT = "20 seconds"

/** Starts it, and waits until it listens. */
export const start = Effect.fnUntraced(function*(
  backends: Record<string, string>,
  on?: Child.Runtime,
  module: "../main.ts" | "../example.ts" = "../main.ts"
) {
  const { handle, lines } = yield* Child.start(module, {
    env: { ...backends, HOST: "127.0.0.1", PORT: "0", DRAIN_GRACE: "1 second" },
    on,
    patience: "3 seconds"
  })
  const output: Array<string> = []
  const failed = Effect.suspend(() => Effect.fail(new StorefrontEnded({ output })))
  const listening = yield* Deferred.make<string, StorefrontEnded>()
  yield* lines.pipe(
    Stream.runForEach((line) => {
      output.push(line)
      if (output.length > KEPT_LINES) output.shift()
      const [, url] = /Listening on (http:\S+)/.exec(line) ?? []
      return url === undefined ? Effect.void : Deferred.succeed(listening, url)
    }),
    Effect.andThen(Effect.exit(failed)),
    Effect.flatMap((ended) => Deferred.done(listening, ended)),
    Effect.forkScoped
  )
  const url = yield* Deferred.await(listening).pipe(
    Effect.timeoutOrElse({ duration: START_LIMIT, orElse: () => failed })
  )
  return {
    url,
    failed,
    // Not the handle's own: on Deno a child that was signalled through its handle has no exit code, however it ends.
    terminate: Effect.sync(() => process.kill(handle.pid, "SIGTERM")),
    exitCode: handle.exitCode
  }
})
