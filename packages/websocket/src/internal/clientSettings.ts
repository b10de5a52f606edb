/**
 * The options of a reconnecting socket with every default resolved.
 *
 * @internal
 */
import * as Retry from "@breakwater/core/Retry"
import type * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Schedule from "effect/Schedule"
import type { WebSocketError } from "../WebSocketError.ts"
import { configError } from "./config.ts"
import type { Message } from "./inbox.ts"
import { heartbeatOf, MIB, type Options as ManagerOptions, receiveOf } from "./settings.ts"
import * as validate from "./validate.ts"

/**
 * A new connection, before it is used for anything else.
 *
 * @since 0.1.0
 * @category models
 */
export interface Session {
  /** Counts from 1. */
  readonly connection: number
  /** Goes ahead of all that waits in the outbox. */
  readonly send: (message: Message) => Effect.Effect<void, WebSocketError>
}

/**
 * Where to connect, and what to do when the connection ends.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Appears in errors, statistics and logs. */
  readonly name: string
  /** `ws://host:port/path` or `wss://…`. */
  readonly url: Redacted.Redacted
  /** Whether the process is not ready without it. Default true. */
  readonly critical?: boolean | undefined
  readonly handshake?: {
    /** Limit from the dial to the end of `onOpen`. Default 5 seconds. */
    readonly timeout?: Duration.Input | undefined
    readonly protocols?: ReadonlyArray<string> | undefined
    /** Of the request, an `authorization` for instance. */
    readonly headers?: Readonly<Record<string, string | Redacted.Redacted>> | undefined
  } | undefined
  readonly reconnect?: {
    /**
     * Delays between attempts; its end ends the socket. Starts anew after a connection that lasted for `stableAfter`.
     * Default: full jitter, 500 milliseconds doubled up to 30 seconds.
     */
    readonly schedule?: Schedule.Schedule<unknown> | undefined
    /** Never dials more often than this, whatever the schedule says. Default: 10 dials a minute. */
    readonly budget?: {
      readonly dials: number
      readonly per: Duration.Input
    } | undefined
    /** A connection that ends sooner counts as a failed attempt. Default 10 seconds. */
    readonly stableAfter?: Duration.Input | undefined
    /** The least wait after a server said that it has no room (1013, 429, 503). Default 5 seconds. */
    readonly tryAgainAfter?: Duration.Input | undefined
  } | undefined
  readonly outbox?: {
    /** Messages that may wait for a connection, or for room in it. Default 1,000. */
    readonly messages?: number | undefined
    /** Bytes that may; the connection's own buffer takes as many again. Default 1 MiB. */
    readonly bytes?: number | undefined
    /** What becomes of a message for which there is no room: its send fails, or the oldest ones go. Default `fail`. */
    readonly whenFull?: "fail" | "drop-oldest" | undefined
  } | undefined
  /** As for `ConnectionManager`; finds out that the server is gone without a word. */
  readonly heartbeat?: ManagerOptions["heartbeat"]
  /** As for `ConnectionManager`. */
  readonly receive?: ManagerOptions["receive"]
  /**
   * Runs on every new connection, before the outbox is sent: to sign in, to subscribe again. Its failure ends the
   * connection and counts as a failed attempt.
   */
  readonly onOpen?: ((session: Session) => Effect.Effect<unknown, unknown>) | undefined
}

/** Times in milliseconds. */
export interface Settings {
  readonly name: string
  readonly url: Redacted.Redacted
  /** Without what may be secret. */
  readonly host: string
  readonly critical: boolean
  readonly handshake: number
  readonly protocols: ReadonlyArray<string>
  readonly headers: Readonly<Record<string, string | Redacted.Redacted>>
  readonly schedule: Schedule.Schedule<unknown>
  readonly dials: number
  readonly per: number
  readonly stableAfter: number
  readonly tryAgainAfter: number
  readonly outboxMessages: number
  readonly outboxBytes: number
  readonly dropOldest: boolean
  readonly interval: number
  readonly answer: number
  readonly receiveBuffer: number
  readonly maxMessage: number
  readonly onOpen: (session: Session) => Effect.Effect<unknown, unknown>
}

type Policies = Pick<Settings, "schedule" | "dials" | "per" | "stableAfter" | "tryAgainAfter">

const reconnectOf = (options: NonNullable<Options["reconnect"]>): Policies => ({
  schedule: options.schedule ?? Retry.fullJitter({ base: "500 millis", cap: "30 seconds" }),
  dials: validate.count("reconnect.budget.dials", options.budget?.dials ?? 10),
  per: validate.millis("reconnect.budget.per", options.budget?.per ?? "1 minute"),
  stableAfter: validate.millis("reconnect.stableAfter", options.stableAfter ?? "10 seconds"),
  tryAgainAfter: validate.millis("reconnect.tryAgainAfter", options.tryAgainAfter ?? "5 seconds")
})

const outboxOf = (options: NonNullable<Options["outbox"]>) => {
  const whenFull = options.whenFull ?? "fail"
  if (whenFull !== "fail" && whenFull !== "drop-oldest") {
    validate.refuse("outbox.whenFull", whenFull, `"fail", "drop-oldest"`)
  }
  return {
    outboxMessages: validate.count("outbox.messages", options.messages ?? 1000),
    outboxBytes: validate.count("outbox.bytes", options.bytes ?? MIB),
    dropOldest: whenFull === "drop-oldest"
  }
}

/** Shows nothing of the URL: the constructor of URL would put the whole text into its error. */
export const hostOf = (url: Redacted.Redacted): Result.Result<string, Config.ConfigError> => {
  const text = Redacted.value(url)
  const parsed = URL.canParse(text) ? new URL(text) : undefined
  if (parsed === undefined) return Result.fail(configError("WebSocket URL: its text is not valid"))
  if (parsed.protocol !== "ws:" && parsed.protocol !== "wss:") {
    return Result.fail(configError("WebSocket URL: its protocol is not allowed; allowed is ws, wss"))
  }
  if (parsed.hash !== "") return Result.fail(configError("WebSocket URL: it has a fragment; allowed is none"))
  return Result.succeed(`${parsed.protocol}//${parsed.host}`)
}

/** Throws a `RangeError` for what is out of range; the URL was checked before. */
export const resolve = (options: Options, host: string): Settings => ({
  name: validate.name(options.name),
  url: options.url,
  host,
  critical: options.critical ?? true,
  handshake: validate.millis("handshake.timeout", options.handshake?.timeout ?? "5 seconds"),
  protocols: options.handshake?.protocols ?? [],
  headers: options.handshake?.headers ?? {},
  ...reconnectOf(options.reconnect ?? {}),
  ...outboxOf(options.outbox ?? {}),
  ...heartbeatOf(options.heartbeat),
  ...receiveOf(options.receive),
  onOpen: options.onOpen ?? (() => Effect.void)
})
