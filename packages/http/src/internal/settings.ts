/**
 * The options, checked once and resolved: options beat the profile, the profile beats the defaults.
 *
 * @internal
 */
import type * as CircuitBreaker from "@breakwater/core/CircuitBreaker"
import * as Policy from "@breakwater/core/Policy"
import type * as Profile from "@breakwater/core/Profile"
import type * as Retry from "@breakwater/core/Retry"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ConnectionOptions } from "node:tls"
import * as HttpOutcome from "../HttpOutcome.ts"
import type { Base } from "./url.ts"

/**
 * An address that a host name stands for.
 *
 * @since 0.1.0
 * @category models
 */
export interface Address {
  readonly address: string
  readonly family: 4 | 6
}

/**
 * How many connections, and how long anybody waits for one.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolOptions {
  readonly size?: {
    /** Never more than this many connections are open, to all origins together. Default 50, or the profile's. */
    readonly max?: number | undefined
    /** Never more than this many to one origin. Default 30, or `max` where that is less. */
    readonly perOrigin?: number | undefined
    /** How many origins are known at once; beyond it the one that was idle longest is forgotten. Default 100. */
    readonly origins?: number | undefined
  } | undefined
  readonly wait?: {
    /** How long a request waits for a connection that may be used. Default 5 seconds. */
    readonly timeout?: Duration.Input | undefined
    /** Beyond this many waiting requests of an origin the next is refused at once. Default 1,000. */
    readonly maxWaiting?: number | undefined
  } | undefined
  readonly dial?: {
    /** Limit of the lookup, the connect and the TLS handshake together. Default 5 seconds. */
    readonly timeout?: Duration.Input | undefined
  } | undefined
  /** How long an idle connection stays open; `false`: every request has a connection of its own. Default 30 seconds. */
  readonly keepAlive?: Duration.Input | false | undefined
}

/**
 * What is done around each request. Breaker and retry are of one origin: a bad host does not close the way to others.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyOptions {
  /** The whole call: waits, attempts, delays, redirects, and the body. Default 60 seconds. */
  readonly deadline?: Duration.Input | undefined
  /** One attempt, from the moment it has a connection until the headers are there. Default: `deadline` alone. */
  readonly timeout?: Duration.Input | undefined
  /** Repeats what failed before it was sent, and idempotent requests. Default: nothing is repeated. */
  readonly retry?: Omit<Retry.Options, "classify"> | undefined
  /** Stops calling an origin that fails. Default: none. */
  readonly breaker?: Omit<CircuitBreaker.Options, "classify"> | undefined
}

/**
 * Which servers, how much of them, and for how long.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Appears in errors, events, statistics and logs. */
  readonly name: string
  /**
   * What request URLs without a host are relative to, and what `health` asks. User and password in it become an
   * `authorization` header for its origin, and for no other.
   */
  readonly url?: Redacted.Redacted | undefined
  readonly pool?: PoolOptions | undefined
  readonly time?: {
    /** From the end of the request to the headers of the response. Default 10 seconds. */
    readonly headers?: Duration.Input | undefined
    /** Between two pieces of the body. Default 10 seconds. */
    readonly body?: Duration.Input | undefined
  } | undefined
  readonly policy?: PolicyOptions | undefined
  /** How many redirects the client follows; 0: the program gets the redirect itself. Default 5. */
  readonly redirects?: number | undefined
  /** Bodies are asked for and read compressed. `max`: bytes of a decompressed body, default 64 MiB. `false`: not. */
  readonly decompress?: { readonly max?: number | undefined } | false | undefined
  readonly dns?: {
    /** How long an address is used without asking again; 0: never. Default 300 seconds. */
    readonly ttl?: Duration.Input | undefined
    /** In place of the system's lookup. */
    readonly resolve?: ((hostname: string) => Effect.Effect<ReadonlyArray<Address>, unknown>) | undefined
  } | undefined
  /** Default `"breakwater"`. */
  readonly userAgent?: string | undefined
  /** TLS; certificates are checked unless `rejectUnauthorized` is false. */
  readonly tls?: ConnectionOptions | undefined
  /** Path that `health` asks with HEAD, at `url`. Healthy is any answer but 408, 429 and 5xx. Default `"/"`. */
  readonly healthPath?: string | undefined
  /** Whether the process is not ready without it. Default true. */
  readonly critical?: boolean | undefined
  /** Default: none. `layerConfig` reads it from the environment. */
  readonly profile?: Profile.Profile | undefined
}

/** Options with every default resolved. Times in milliseconds where undici wants numbers. */
export interface Settings {
  readonly name: string
  readonly critical: boolean
  readonly base: Base | undefined
  readonly max: number
  readonly perOrigin: number
  readonly origins: number
  readonly wait: { readonly timeout: Duration.Duration; readonly maxWaiting: number }
  readonly connectTimeout: Duration.Duration
  readonly keepAlive: Duration.Duration | undefined
  readonly headersTimeout: Duration.Duration
  readonly bodyTimeout: Duration.Duration
  readonly deadline: Duration.Duration
  readonly timeout: Duration.Duration | undefined
  readonly policy: PolicyOptions
  readonly redirects: number
  readonly decompressMax: number | undefined
  readonly dnsTtl: Duration.Duration
  readonly resolve: NonNullable<Options["dns"]>["resolve"]
  readonly userAgent: string
  readonly tls: ConnectionOptions | undefined
  readonly healthPath: string
  readonly warnings: ReadonlyArray<string>
}

const DEFAULT_MAX = 50
const DEFAULT_PER_ORIGIN = 30
const MAX_BY_PROFILE: Record<Profile.Profile, number> = { development: 20, staging: 50, production: 100 }
const DEFAULT_DEADLINE = Duration.seconds(60)
const DEFAULT_DECOMPRESSED = 64 * 1024 * 1024

/** Beyond these the guides speak of mistakes. */
const SUSPICIOUS_MAX = 10_000
const SUSPICIOUS_DEADLINE = Duration.seconds(300)

const refuse = (option: string, value: unknown, allowed: string): never => {
  const shown = Duration.isDuration(value) ? Duration.format(value) : JSON.stringify(value) ?? String(value)
  throw new RangeError(`${option} is ${shown}; allowed is ${allowed}`)
}

const integer = (option: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): number => {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`
  return refuse(option, value, `a whole number ${range}`)
}

const finite = (option: string, input: Duration.Input): Duration.Duration | undefined => {
  const decoded = Duration.fromInput(input)
  return decoded._tag === "Some" && Duration.isFinite(decoded.value) ? decoded.value : undefined
}

const duration = (option: string, input: Duration.Input): Duration.Duration => {
  const value = finite(option, input)
  if (value !== undefined && Duration.toMillis(value) > 0) return value
  return refuse(option, input, "a finite duration longer than zero")
}

const durationOrZero = (option: string, input: Duration.Input): Duration.Duration => {
  const value = finite(option, input)
  if (value !== undefined && Duration.toMillis(value) >= 0) return value
  return refuse(option, input, "a finite duration of zero or more")
}

const text = (option: string, value: string, pattern: RegExp, allowed: string): string =>
  typeof value === "string" && pattern.test(value) ? value : refuse(option, value, allowed)

const sizeOf = ({ pool, profile }: Options) => {
  const size = pool?.size ?? {}
  if (profile !== undefined && !Object.hasOwn(MAX_BY_PROFILE, profile)) {
    refuse("profile", profile, Object.keys(MAX_BY_PROFILE).map((one) => JSON.stringify(one)).join(", "))
  }
  const max = integer(
    "pool.size.max",
    size.max ?? (profile === undefined ? DEFAULT_MAX : MAX_BY_PROFILE[profile]),
    1
  )
  return {
    max,
    perOrigin: integer("pool.size.perOrigin", size.perOrigin ?? Math.min(DEFAULT_PER_ORIGIN, max), 1, max),
    origins: integer("pool.size.origins", size.origins ?? 100, 1)
  }
}

const limitsOf = (options: PolicyOptions) => {
  const deadline = options.deadline === undefined ? DEFAULT_DEADLINE : duration("policy.deadline", options.deadline)
  const timeout = options.timeout === undefined ? undefined : duration("policy.timeout", options.timeout)
  if (timeout !== undefined && Duration.isGreaterThanOrEqualTo(timeout, deadline)) {
    refuse("policy.timeout", timeout, `less than policy.deadline, which is ${Duration.format(deadline)}`)
  }
  return { deadline, timeout }
}

const warningsOf = (settings: Pick<Settings, "max" | "deadline">): ReadonlyArray<string> => [
  ...(settings.max >= SUSPICIOUS_MAX
    ? [`pool.size.max is ${settings.max}: no server and no file-descriptor limit bears that many connections`]
    : []),
  ...(Duration.isGreaterThanOrEqualTo(settings.deadline, SUSPICIOUS_DEADLINE)
    ? [`policy.deadline is ${Duration.format(settings.deadline)}: a slow server holds every connection for that long`]
    : [])
]

const decompressMaxOf = ({ decompress }: Options): number | undefined =>
  decompress === false ? undefined : integer("decompress.max", decompress?.max ?? DEFAULT_DECOMPRESSED, 1)

/** What is allowed in a header: visible ASCII and spaces. */
const HEADER = /^[\x20-\x7e]+$/

/** Throws a `RangeError` for what is out of range. The parts of the URL were checked before. */
export const resolve = (options: Options, base: Base | undefined): Settings => {
  const { critical = true, dns, policy = {}, pool, time } = options
  const name = text("name", options.name, /./, "a text that is not empty")
  const size = sizeOf(options)
  const limits = limitsOf(policy)
  const settings: Settings = {
    name,
    critical,
    base,
    ...size,
    ...limits,
    policy,
    wait: {
      timeout: duration("pool.wait.timeout", pool?.wait?.timeout ?? "5 seconds"),
      maxWaiting: integer("pool.wait.maxWaiting", pool?.wait?.maxWaiting ?? 1000, 1)
    },
    connectTimeout: duration("pool.dial.timeout", pool?.dial?.timeout ?? "5 seconds"),
    keepAlive: pool?.keepAlive === false ? undefined : duration("pool.keepAlive", pool?.keepAlive ?? "30 seconds"),
    headersTimeout: duration("time.headers", time?.headers ?? "10 seconds"),
    bodyTimeout: duration("time.body", time?.body ?? "10 seconds"),
    redirects: integer("redirects", options.redirects ?? 5, 0),
    decompressMax: decompressMaxOf(options),
    dnsTtl: durationOrZero("dns.ttl", dns?.ttl ?? "300 seconds"),
    resolve: dns?.resolve,
    userAgent: text("userAgent", options.userAgent ?? "breakwater", HEADER, "a text of visible ASCII"),
    tls: options.tls,
    healthPath: text("healthPath", options.healthPath ?? "/", /^\/[\x21-\x7e]*$/, "a path that begins with /"),
    warnings: warningsOf({ max: size.max, deadline: limits.deadline })
  }
  // Its own checks are those of core; by the call, not by the first request.
  policyOf(settings, name)
  return settings
}

/** The policy of one origin. */
export type OriginPolicy = ReturnType<typeof policyOf>

export const policyOf = (settings: Settings, name: string) =>
  Policy.make({
    name,
    deadline: settings.deadline,
    timeout: settings.timeout,
    retry: settings.policy.retry,
    breaker: settings.policy.breaker,
    classify: HttpOutcome.fromExit
  })
