/**
 * The life of a connection within the handler of an HTTP request.
 *
 * @internal
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as CloseCode from "../CloseCode.ts"
import type { WebSocketError } from "../WebSocketError.ts"
import * as Connection from "./connection.ts"
import * as Handshake from "./handshake.ts"
import type { AddOptions, Manager } from "./manager.ts"

/** How long a handler may go on without its peer: for the last messages, and for what follows from them. */
const AFTERWARDS = Duration.seconds(5)

const codeOf = (exit: Exit.Exit<unknown, unknown>): number => {
  if (exit._tag === "Success") return CloseCode.normal
  return exit.cause.reasons.every((reason) => reason._tag === "Interrupt")
    ? CloseCode.goingAway
    : CloseCode.internalError
}

export const upgrade = <E, R>(
  manager: Manager,
  handshake: Handshake.Handshake,
  handler: (connection: Connection.Connection) => Effect.Effect<unknown, E, R>,
  options: AddOptions | undefined
): Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  WebSocketError | E,
  R | HttpServerRequest.HttpServerRequest
> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      const upgraded = yield* Handshake.fromHttp(request, manager.settings.name)
      const lived = Effect.gen(function*() {
        const entry = yield* manager.add(yield* handshake(upgraded), options)
        const { channel } = entry
        const left = Effect.andThen(Deferred.await(channel.closed), Effect.sleep(AFTERWARDS))
        const exit = yield* Effect.exit(restore(Effect.raceFirst(handler(Connection.make(entry)), left)))
        yield* channel.close(codeOf(exit), "", "Local")
        return yield* exit
      })
      // The server writes an HTTP response to a socket that is not gone.
      yield* Effect.ensuring(lived, Handshake.gone(upgraded.socket))
      return HttpServerResponse.empty()
    })
  )
