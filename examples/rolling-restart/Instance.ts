/** The service as a process of its own: signals are real, and what it said is kept. */
import { Data, Deferred, Effect, Stream } from "effect"
import * as Child from "../storefront/storm/Child.ts"

export class InstanceEnded extends Data.TaggedError("InstanceEnded")<{ readonly output: ReadonlyArray<string> }> {
  override get message() {
    return `The service ended before it listened. What it said:\n${this.output.join("\n")}`
  }
}

const START_LIMIT = "20 seconds"

/** Starts it, and waits until it listens. */
export const start = Effect.fnUntraced(function*(env: Record<string, string>) {
  const { handle, lines } = yield* Child.start("../../rolling-restart/service.ts", { env, patience: "1 second" })
  const output: Array<string> = []
  const listening = yield* Deferred.make<string, InstanceEnded>()
  const ended = Effect.suspend(() => Effect.fail(new InstanceEnded({ output })))
  yield* lines.pipe(
    Stream.runForEach((line) => {
      output.push(line)
      const [, url] = /Listening on (http:\S+)/.exec(line) ?? []
      return url === undefined ? Effect.void : Deferred.succeed(listening, url)
    }),
    Effect.andThen(Effect.exit(ended)),
    Effect.flatMap((exit) => Deferred.done(listening, exit)),
    Effect.forkScoped
  )
  return {
    url: yield* Effect.timeoutOrElse(Deferred.await(listening), { duration: START_LIMIT, orElse: () => ended }),
    output,
    // Not the handle's own: on Deno a child that was signalled through its handle has no exit code, however it ends.
    terminate: Effect.sync(() => process.kill(handle.pid, "SIGTERM")),
    exitCode: handle.exitCode
  }
})
