/** Reconnecting sockets of tests: quiet, out of the process's registry, and quick to come back. */
import { Backends } from "@breakwater/core"
import { ReconnectingSocket } from "@breakwater/websocket"
import { type Config, Effect, Redacted, Schedule, type Scope, Stream } from "effect"
import { quiet } from "./peers.ts"

export const open = (
  address: { readonly host: string; readonly port: number },
  options: Partial<ReconnectingSocket.Options> = {}
): Effect.Effect<ReconnectingSocket.ReconnectingSocket, Config.ConfigError, Scope.Scope> =>
  quiet(Backends.isolated(ReconnectingSocket.make({
    name: "client",
    url: Redacted.make(`ws://${address.host}:${address.port}/`),
    ...options,
    reconnect: {
      schedule: Schedule.spaced("10 millis"),
      budget: { dials: 1000, per: "1 minute" },
      tryAgainAfter: "100 millis",
      ...options.reconnect
    }
  })))

export const next = (socket: ReconnectingSocket.ReconnectingSocket, count = 1) =>
  Stream.runCollect(Stream.take(socket.messages, count))

/** Waits for a state; the test's own limit ends what never comes. */
export const until = <Tag extends ReconnectingSocket.State["_tag"]>(
  socket: ReconnectingSocket.ReconnectingSocket,
  tag: Tag
): Effect.Effect<Extract<ReconnectingSocket.State, { readonly _tag: Tag }>> =>
  socket.states.pipe(
    Stream.filter((state): state is Extract<ReconnectingSocket.State, { readonly _tag: Tag }> => state._tag === tag),
    Stream.runHead,
    Effect.flatMap(Effect.fromOption),
    Effect.orDie
  )
