/**
 * The options of a manager with every default resolved.
 *
 * @internal
 */
import * as Profile from "@breakwater/core/Profile"
import * as Setting from "@breakwater/core/Setting"
import * as Validate from "@breakwater/core/Validate"
import * as Duration from "effect/Duration"
import type { Limits } from "./channel.ts"

/**
 * How many connections to have, and what to bear of each.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Setting.Common {
  /**
   * Whose times are the defaults. The guides give the same ones for development, staging and production; with serverless,
   * which is ours, `idleTimeout` is 10 seconds. Default: none. `layerConfig` reads it from the environment.
   */
  readonly profile?: Profile.Profile | undefined
  readonly connections?: {
    /** Further peers are closed with 1013. Default 1,000. */
    readonly max?: number | undefined
    /** For one key: a user, a tenant. Further peers are closed with 1008. Default: as many as there may be in total. */
    readonly maxPerKey?: number | undefined
  } | undefined
  readonly heartbeat?: {
    /** Time between pings. Default 60 seconds, or a shorter `idleTimeout`. */
    readonly interval?: Duration.Input | undefined
    /** The peer's time to answer one, shorter than the interval; then its connection is closed. Default 10 seconds. */
    readonly timeout?: Duration.Input | undefined
  } | undefined
  /** A connection over which no message went for so long, in either direction, is closed with 1001. Default 300 seconds. */
  readonly idleTimeout?: Duration.Input | undefined
  readonly send?: {
    /** Bytes that may wait for one peer, and with that the largest message. Default 1 MiB. */
    readonly buffer?: number | undefined
    /** How long a send waits for room; then it fails, and its peer is closed. Default 5 seconds. */
    readonly timeout?: Duration.Input | undefined
    /** How many sends may wait for one peer. Default 64. */
    readonly maxWaiting?: number | undefined
  } | undefined
  readonly receive?: {
    /** Bytes that may wait for the handler of one connection; beyond, the peer is read no further. Default 256 KiB. */
    readonly buffer?: number | undefined
    /** Bytes of the largest message; a peer that sends a larger one is closed with 1009. Default 1 MiB. */
    readonly maxMessage?: number | undefined
  } | undefined
}

/** Times in milliseconds. */
export interface Settings {
  readonly name: string
  readonly critical: boolean
  readonly profile: Profile.Profile | undefined
  readonly poolType: string
  readonly max: number
  readonly maxPerKey: number
  readonly interval: number
  readonly answer: number
  readonly idle: number
  readonly send: Limits
  readonly receiveBuffer: number
  readonly maxMessage: number
  readonly warnings: ReadonlyArray<string>
}

export const KIB = 1024
export const MIB = 1024 * KIB

/** The pings of both sides are set by the same two options. */
export const heartbeatOf = (
  options: Options["heartbeat"],
  atMost = Infinity
): { readonly interval: number; readonly answer: number } => {
  const interval = Validate.boundedMillis("heartbeat.interval", options?.interval ?? Math.min(60_000, atMost))
  const timeout = options?.timeout ?? Duration.millis(Math.min(10_000, interval / 2))
  const answer = Validate.boundedMillis("heartbeat.timeout", timeout)
  if (answer >= interval) {
    Validate.refuse("heartbeat.timeout", timeout, `less than heartbeat.interval, which is ${interval} ms`)
  }
  return { interval, answer }
}

export const receiveOf = (options: Options["receive"]) => ({
  receiveBuffer: Validate.integer("receive.buffer", options?.buffer ?? 256 * KIB, 1),
  maxMessage: Validate.integer("receive.maxMessage", options?.maxMessage ?? MIB, 1)
})

const sendOf = (options: Options["send"]): Limits => ({
  buffer: Validate.integer("send.buffer", options?.buffer ?? MIB, 1),
  timeout: Validate.boundedMillis("send.timeout", options?.timeout ?? "5 seconds"),
  maxWaiting: Validate.integer("send.maxWaiting", options?.maxWaiting ?? 64, 1)
})

/** More than a process can have open files for, unless it was told otherwise. */
const MANY = 10_000

const warningsOf = (max: number, interval: number, idle: number): Array<string> => {
  const warnings: Array<string> = []
  if (max > MANY) {
    warnings.push(`connections.max is ${max}; each takes a file descriptor, and its buffers if all peers are slow`)
  }
  if (interval > idle) {
    warnings.push(`heartbeat.interval is longer than idleTimeout: a dead peer is found by the latter only`)
  }
  return warnings
}

/** The guides have one for all of theirs. */
const IDLE = "300 seconds"

const IDLE_BY_PROFILE: Record<Profile.Profile, Duration.Input> = {
  development: IDLE,
  staging: IDLE,
  production: IDLE,
  serverless: Profile.serverless.idle
}

const idleOf = ({ idleTimeout, profile }: Options): number => {
  const usual = Profile.valuesOf(IDLE_BY_PROFILE, profile, IDLE)
  return Validate.boundedMillis("idleTimeout", idleTimeout ?? usual)
}

/** Throws a `RangeError` for what is out of range. */
export const resolve = (options: Options): Settings => {
  const max = Validate.integer("connections.max", options.connections?.max ?? 1000, 1)
  const maxPerKey = Validate.integer("connections.maxPerKey", options.connections?.maxPerKey ?? max, 1)
  const idle = idleOf(options)
  const { answer, interval } = heartbeatOf(options.heartbeat, idle)
  return {
    name: Validate.text("name", options.name),
    critical: options.critical ?? true,
    profile: options.profile,
    poolType: Setting.poolType(options.poolType),
    max,
    maxPerKey,
    interval,
    answer,
    idle,
    send: sendOf(options.send),
    ...receiveOf(options.receive),
    warnings: warningsOf(max, interval, idle)
  }
}
