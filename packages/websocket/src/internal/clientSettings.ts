/**
 * The options of a reconnecting socket with every default resolved.
 *
 * @internal
 */
import * as ConnectionUrl from "@breakwater/core/ConnectionUrl"
import * as Retry from "@breakwater/core/Retry"
import * as Validate from "@breakwater/core/Validate"
import type * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Result from "effect/Result"
import type * as Schedule from "effect/Schedule"
import type { ConnectionOptions } from "node:tls"
import type { WebSocketError } from "../WebSocketError.ts"
import type { Message } from "./inbox.ts"
import { heartbeatOf, MIB, type Options as ManagerOptions, receiveOf } from "./settings.ts"

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
  /** `ws://host:port/path` or `wss://…`, which means TLS. */
  readonly url: Redacted.Redacted
  /** Of `wss`: certificates are checked unless `rejectUnauthorized` is false, against `ca` where it is given. */
  readonly tls?: ConnectionOptions | undefined
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
  readonly tls: ConnectionOptions | undefined
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
  dials: Validate.integer("reconnect.budget.dials", options.budget?.dials ?? 10, 1),
  per: Validate.boundedMillis("reconnect.budget.per", options.budget?.per ?? "1 minute"),
  stableAfter: Validate.boundedMillis("reconnect.stableAfter", options.stableAfter ?? "10 seconds"),
  tryAgainAfter: Validate.boundedMillis("reconnect.tryAgainAfter", options.tryAgainAfter ?? "5 seconds")
})

const outboxOf = (options: NonNullable<Options["outbox"]>) => {
  const whenFull = Validate.oneOf("outbox.whenFull", options.whenFull ?? "fail", ["fail", "drop-oldest"])
  return {
    outboxMessages: Validate.integer("outbox.messages", options.messages ?? 1000, 1),
    outboxBytes: Validate.integer("outbox.bytes", options.bytes ?? MIB, 1),
    dropOldest: whenFull === "drop-oldest"
  }
}

const reader: ConnectionUrl.Reader = new ConnectionUrl.Reader("WebSocket")

/** What the program sends along stays as it is, but for what means TLS elsewhere: it must not end in plain text here. */
const hostIn = (text: string): string => {
  if (!URL.canParse(text)) reader.refuse("its text", "ws://host:port/path or wss://…")
  const { hash, host, pathname, protocol, searchParams } = new URL(text)
  if (protocol !== "ws:" && protocol !== "wss:") reader.refuse("its protocol", "ws, wss")
  if (hash !== "") reader.refuse("a fragment", "none")
  // The rest of a password with a slash in it would show as a host.
  if (pathname.includes("@")) reader.refuse("an @ in the path", "none: write %40")
  for (const name of ["ssl", "tls"]) {
    if (protocol === "ws:" && searchParams.get(name) === "true") {
      reader.refuse(`parameter "${name}"`, "false with ws, which is plain text; wss means TLS", "true")
    }
  }
  return `${protocol}//${host}`
}

/** Protocol and host of the URL, which may be shown. */
export const hostOf = (url: Redacted.Redacted): Result.Result<string, Config.ConfigError> => reader.read(url, hostIn)

/** Of RFC 9110, 5.6.2: what names of headers and protocols are made of. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/

/** Latin-1 without control characters but for the tab. */
const HEADER = /^[\t\x20-\x7e\x80-\xff]*$/

/** What a request cannot carry would fail every dial. Values are not shown: any of them may be a secret. */
const handshakeOf = ({ headers = {}, protocols = [], timeout }: NonNullable<Options["handshake"]>) => {
  for (const protocol of protocols) {
    if (!TOKEN.test(protocol)) {
      Validate.refuse("handshake.protocols", protocol, "tokens of letters, digits and !#$%&'*+-.^_`|~")
    }
  }
  for (const [name, value] of Object.entries(headers)) {
    if (!TOKEN.test(name)) Validate.refuse("handshake.headers", name, "names of letters, digits and !#$%&'*+-.^_`|~")
    if (!HEADER.test(typeof value === "string" ? value : Redacted.value(value))) {
      Validate.refuse(`handshake.headers.${name}`, "<redacted>", "Latin-1 without control characters")
    }
  }
  return { handshake: Validate.boundedMillis("handshake.timeout", timeout ?? "5 seconds"), headers, protocols }
}

/** Throws a `RangeError` for what is out of range; the URL was checked before. */
export const resolve = (options: Options, host: string): Settings => ({
  name: Validate.text("name", options.name),
  url: options.url,
  host,
  tls: options.tls,
  critical: options.critical ?? true,
  ...handshakeOf(options.handshake ?? {}),
  ...reconnectOf(options.reconnect ?? {}),
  ...outboxOf(options.outbox ?? {}),
  ...heartbeatOf(options.heartbeat),
  ...receiveOf(options.receive),
  onOpen: options.onOpen ?? (() => Effect.void)
})
