/**
 * Opens a client's connection, and says why when it does not open.
 *
 * @internal
 */
import * as NodeWS from "@effect/platform-node/NodeWS"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { WebSocketError } from "../WebSocketError.ts"
import type { Channel } from "./channel.ts"
import type { Settings } from "./clientSettings.ts"

/** Longer than this no server may send a client away. */
const MAX_RETRY_AFTER = Duration.minutes(5)

const headersOf = (settings: Settings): Record<string, string> =>
  Object.fromEntries(
    Object.entries(settings.headers).map(([name, value]) => [
      name,
      typeof value === "string" ? value : Redacted.value(value)
    ])
  )

const open = (settings: Settings): NodeWS.WebSocket =>
  new NodeWS.WebSocket(Redacted.value(settings.url), [...settings.protocols], {
    ...settings.tls,
    headers: headersOf(settings),
    autoPong: false,
    perMessageDeflate: false,
    maxPayload: settings.maxMessage
  })

/** Seconds, or a date. */
const retryAfterOf = (header: string | undefined, clock: Clock.Clock): Duration.Duration | undefined => {
  if (header === undefined) return undefined
  const millis = /^\d+$/.test(header)
    ? Number(header) * 1000
    : Date.parse(header) - clock.currentTimeMillisUnsafe()
  return Number.isFinite(millis) && millis >= 0 ? Duration.min(Duration.millis(millis), MAX_RETRY_AFTER) : undefined
}

const failed = (settings: Settings, why: {
  readonly status?: number | undefined
  readonly retryAfter?: Duration.Duration | undefined
  readonly cause?: unknown
}): WebSocketError =>
  new WebSocketError({
    _tag: "ConnectFailed",
    socket: settings.name,
    status: why.status,
    retryAfter: why.retryAfter,
    cause: why.cause
  })

export const connectFailed = (settings: Settings, cause: unknown): WebSocketError => failed(settings, { cause })

/**
 * The connection lives as long as the scope. `adopt` runs the moment it opens: the first messages may come with the
 * server's answer, and must find who takes them. So must an error: it is listened to in the turn of the dial, since a
 * fiber may yield between any two operations.
 */
export const dial = (
  settings: Settings,
  clock: Clock.Clock,
  adopt: (ws: NodeWS.WebSocket) => Channel
): Effect.Effect<Channel, WebSocketError, Scope.Scope> =>
  Effect.suspend(() => {
    let ws: NodeWS.WebSocket | undefined
    const opened = Effect.callback<Channel, WebSocketError>((resume) => {
      try {
        ws = open(settings)
      } catch (cause) {
        return resume(Effect.fail(connectFailed(settings, cause)))
      }
      listen(ws, settings, clock, adopt, resume)
    })
    return Effect.andThen(Effect.addFinalizer(() => Effect.sync(() => ws?.terminate())), opened)
  })

const listen = (
  ws: NodeWS.WebSocket,
  settings: Settings,
  clock: Clock.Clock,
  adopt: (ws: NodeWS.WebSocket) => Channel,
  resume: (result: Effect.Effect<Channel, WebSocketError>) => void
): void => {
  ws.on("error", (cause) => resume(Effect.fail(connectFailed(settings, cause))))
  ws.on("unexpected-response", (request, response) => {
    const status = response.statusCode
    const retryAfter = retryAfterOf(response.headers["retry-after"], clock)
    request.destroy()
    resume(Effect.fail(failed(settings, { status, retryAfter })))
  })
  ws.on("open", () => resume(Effect.succeed(adopt(ws))))
}
