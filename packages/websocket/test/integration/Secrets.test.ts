/** Nothing secret of a URL or a header shows in what anybody may read. */
import { Backends, Health } from "@breakwater/core"
import { Witness } from "@breakwater/testing"
import { ReconnectingSocket } from "@breakwater/websocket"
import { assert, it } from "@effect/vitest"
import { Effect, Redacted, Stream } from "effect"
import { open, until } from "../utils/client.ts"
import { connect, serve } from "../utils/peers.ts"

it.live("shows a secret in no error, log, event, span or health body", () =>
  Effect.gen(function*() {
    const { listen, said, see } = yield* Witness.make
    const served = yield* serve({ connections: { max: 1 } })
    const peer = yield* connect(served)
    const options: ReconnectingSocket.Options = {
      name: "client",
      handshake: { headers: { authorization: Redacted.make("s3cret-token") } },
      url: Redacted.make(`ws://me:s3cret-pass@127.0.0.1:${served.port}/s3cret-path?token=s3cret-query`)
    }
    yield* Effect.gen(function*() {
      const socket = yield* ReconnectingSocket.make(options)
      yield* Effect.forkChild(Stream.runForEach(socket.backend.events, (event) => Effect.sync(() => see(event))), {
        startImmediately: true
      })
      see(yield* until(socket, "Waiting"))
      const opened = Effect.withSpan(socket.awaitOpen("1 millis"), "call")
      see(yield* Effect.exit(opened))
      for (const shown of [socket.health, socket.stats, socket.backend.policy, Health.check()]) see(yield* shown)
      for (const value of [options, socket, socket.backend]) see(value)
      see(yield* Effect.exit(ReconnectingSocket.make({ ...options, url: Redacted.make("ws://s3cret host") })))
      const header = { authorization: Redacted.make("s3cret\nnewline") }
      see(yield* Effect.exit(Effect.suspend(() => open(served, { handshake: { headers: header } }))))
      const nowhere = yield* ReconnectingSocket.make({
        ...options,
        url: Redacted.make("ws://me:s3cret-pass@127.0.0.1:1/s3cret-path?token=s3cret-query")
      })
      see(yield* Effect.exit(nowhere.awaitOpen("100 millis")))
    }).pipe(listen, Effect.scoped, Backends.isolated)
    peer.ws.close()
    for (const word of ["WebSocketError", "ConnectFailed", "unhealthy", "Waiting"]) assert.include(said(), word)
    assert.notInclude(said(), "s3cret")
  }))
