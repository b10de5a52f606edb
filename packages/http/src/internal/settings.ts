/**
 * Options, environment and profile put together: each beats the next, the defaults come last, and what is given twice
 * and different is a warning that names both.
 *
 * @internal
 */
import * as CallPolicy from "@breakwater/core/CallPolicy"
import * as OutlierEjection from "@breakwater/core/OutlierEjection"
import * as Policy from "@breakwater/core/Policy"
import type { PolicyError } from "@breakwater/core/PolicyError"
import * as Profile from "@breakwater/core/Profile"
import type * as Recover from "@breakwater/core/Recover"
import * as Setting from "@breakwater/core/Setting"
import * as Validate from "@breakwater/core/Validate"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
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
    /**
     * Never more than this many connections are open, to all origins together. Default: the profile's 20 (development), 50
     * (staging), 100 (production) or 2 (serverless), else 50.
     */
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
  /**
   * How long an idle connection stays open; `false`: every request has a connection of its own. Default 30 seconds, with
   * the profile serverless 10.
   */
  readonly keepAlive?: Duration.Input | false | undefined
}

/**
 * What is done around each request. Every origin has all of it for itself: a bad host does not close the way to others.
 * With `hosts` the deadline, the throttle, the retry and the hedge are around the choice among them, so that the next
 * attempt goes to another one.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyOptions extends CallPolicy.Options {
  /** The whole call: waits, attempts, delays, redirects, and the body. Default 60 seconds. */
  readonly deadline?: Duration.Input | undefined
  /** One attempt, from the moment it has a connection until the headers are there. Default: `deadline` alone. */
  readonly timeout?: Duration.Input | undefined
  /**
   * Repeats what failed before it was sent, and idempotent requests; with `hosts` at another one. Its budget is one for
   * all `hosts`, else one for each origin unless one is given. Default: as `Policy.standard`, unless there is a hedge.
   * `false`: not.
   */
  readonly retry?: CallPolicy.Options["retry"]
  /** Leaves out the one of `hosts` that fails more than the others. Default: as `OutlierEjection.make`; `false`: none. */
  readonly ejection?: OutlierEjection.Options | false | undefined
  /**
   * Once a connection that was kept breaks before the response has begun, the others that are kept to its origin are
   * replaced too, once for all callers, before anything is tried again: see `Recover`. `false`: not.
   */
  readonly recover?: Pick<Recover.Options, "timeout"> | false | undefined
  /**
   * The name of a header that tells the server how long its answer is waited for, in milliseconds: what is left of the
   * deadline, or of the timeout where that is less. Default: none.
   */
  readonly deadlineHeader?: string | undefined
}

/**
 * Which servers, how much of them, and for how long.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Setting.Common {
  /**
   * What request URLs without a host are relative to, and what `health` asks. User and password in it become an
   * `authorization` header for its origin, and for no other.
   */
  readonly url?: Redacted.Redacted | undefined
  /**
   * In place of `url`: the URLs of several servers that are equals. A request whose URL has no host, or begins with the
   * first of these, goes to one of them: of two at random the one with less to do, unless it is left out (`ejection`) or
   * its circuit is open. User and password are those of the first for all.
   */
  readonly hosts?: ReadonlyArray<Redacted.Redacted> | undefined
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
}

/** What the environment says; times in milliseconds. */
export interface FromEnvironment {
  readonly poolLimit?: number | undefined
  readonly timeoutTotal?: number | undefined
}

/** Options with every default resolved. Times in milliseconds where undici wants numbers. */
export interface Settings extends Setting.Resolved {
  readonly base: Base | undefined
  /** Equals, of which `base` is the first; none where there is no choice. */
  readonly hosts: ReadonlyArray<Base>
  readonly max: number
  readonly perOrigin: number
  readonly origins: number
  readonly wait: { readonly timeout: Duration.Duration; readonly maxWaiting: number }
  readonly connectTimeout: Duration.Duration
  readonly keepAlive: Duration.Duration | undefined
  readonly headersTimeout: Duration.Duration
  readonly bodyTimeout: Duration.Duration
  /** To begin with: those in force are the policies'. */
  readonly deadline: Duration.Duration
  readonly timeout: Duration.Duration | undefined
  readonly parts: CallPolicy.Parts
  readonly recover: PolicyOptions["recover"]
  readonly ejection: PolicyOptions["ejection"]
  readonly deadlineHeader: string | undefined
  readonly redirects: number
  readonly decompressMax: number | undefined
  readonly dnsTtl: Duration.Duration
  readonly resolve: NonNullable<Options["dns"]>["resolve"]
  readonly userAgent: string
  readonly tls: ConnectionOptions | undefined
  readonly healthPath: string
}

interface Preset {
  readonly max: number
  readonly idle?: Duration.Duration
}

const PRESETS: Record<Profile.Profile, Preset> = {
  development: { max: 20 },
  staging: { max: 50 },
  production: { max: 100 },
  serverless: Profile.serverless
}

const DEFAULT_PER_ORIGIN = 30
const DEFAULT_KEEP_ALIVE = Duration.seconds(30)
const DEFAULT_DEADLINE = Duration.seconds(60)
const DEFAULT_DECOMPRESSED = 64 * 1024 * 1024

/** Beyond these the guides speak of mistakes. */
const SUSPICIOUS_MAX = 10_000
const SUSPICIOUS_DEADLINE = Duration.seconds(300)

const text = (option: string, value: string, pattern: RegExp, allowed: string): string =>
  typeof value === "string" && pattern.test(value) ? value : Validate.refuse(option, value, allowed)

interface Sources {
  readonly options: Options
  readonly environment: FromEnvironment
  readonly preset: Preset
  readonly warnings: Array<string>
}

const sizeOf = ({ environment, options: { pool }, preset, warnings }: Sources) => {
  const size = pool?.size ?? {}
  const chosen = Setting.choose(warnings, {
    option: ["pool.size.max", size.max],
    variable: ["AIOHTTP_POOL_LIMIT", environment.poolLimit]
  })
  const max = Validate.integer("pool.size.max", chosen ?? preset.max, 1)
  return {
    max,
    perOrigin: Validate.integer("pool.size.perOrigin", size.perOrigin ?? Math.min(DEFAULT_PER_ORIGIN, max), 1, max),
    origins: Validate.integer("pool.size.origins", size.origins ?? 100, 1)
  }
}

const limitsOf = ({ environment, options: { policy = {} }, warnings }: Sources): Setting.Limits => {
  const deadline = Setting.chooseTime(warnings, {
    option: ["policy.deadline", policy.deadline],
    variable: ["AIOHTTP_TIMEOUT_TOTAL", environment.timeoutTotal]
  })
  return Setting.limits({ deadline, timeout: policy.timeout }, { deadline: DEFAULT_DEADLINE })
}

const keepAliveOf = ({ options: { pool = {} }, preset }: Sources): Duration.Duration | undefined =>
  pool.keepAlive === false
    ? undefined
    : Validate.duration("pool.keepAlive", pool.keepAlive ?? preset.idle ?? DEFAULT_KEEP_ALIVE)

const warningsOf = (settings: Pick<Settings, "max" | "deadline">): ReadonlyArray<string> => [
  ...(settings.max >= SUSPICIOUS_MAX
    ? [`pool.size.max is ${settings.max}: no server and no file-descriptor limit bears that many connections`]
    : []),
  ...(Duration.isGreaterThanOrEqualTo(settings.deadline, SUSPICIOUS_DEADLINE)
    ? [`policy.deadline is ${Duration.format(settings.deadline)}: a slow server holds every connection for that long`]
    : [])
]

const decompressMaxOf = ({ decompress }: Options): number | undefined =>
  decompress === false ? undefined : Validate.integer("decompress.max", decompress?.max ?? DEFAULT_DECOMPRESSED, 1)

/** What is allowed in a header: visible ASCII and spaces. */
const HEADER = /^[\x20-\x7e]+$/

/** A name of a header, as RFC 9110 has them. */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~\da-z]+$/i

const aroundOf = (policy: PolicyOptions) => {
  const { deadlineHeader, ejection, recover } = policy
  if (deadlineHeader !== undefined) text("policy.deadlineHeader", deadlineHeader, HEADER_NAME, "the name of a header")
  return {
    parts: CallPolicy.partsOf(policy, ["deadlineHeader", "ejection", "recover"]),
    deadlineHeader: deadlineHeader?.toLowerCase(),
    ejection,
    recover
  }
}

/** Throws a `RangeError` for what is out of range. The parts of the URL were checked before. */
export const resolve = (
  options: Options,
  bases: ReadonlyArray<Base>,
  environment: FromEnvironment = {}
): Settings => {
  const { critical = true, dns, policy = {}, pool, profile, time } = options
  const name = Validate.text("name", options.name)
  hostsGiven(options)
  const warnings: Array<string> = []
  const sources: Sources = { options, environment, preset: Profile.valuesOf(PRESETS, profile, { max: 50 }), warnings }
  const size = sizeOf(sources)
  const limits = limitsOf(sources)
  const keepAlive = keepAliveOf(sources)
  const settings: Settings = {
    name,
    critical,
    profile,
    poolType: Setting.poolType(options.poolType),
    overrides: Setting.overrides(profile, {
      "pool.size.max": [size.max, sources.preset.max],
      "pool.keepAlive": [keepAlive, sources.preset.idle]
    }),
    base: bases[0],
    hosts: options.hosts === undefined ? [] : bases,
    ...size,
    ...limits,
    ...aroundOf(policy),
    wait: {
      timeout: Validate.duration("pool.wait.timeout", pool?.wait?.timeout ?? "5 seconds"),
      maxWaiting: Validate.integer("pool.wait.maxWaiting", pool?.wait?.maxWaiting ?? 1000, 1)
    },
    connectTimeout: Validate.duration("pool.dial.timeout", pool?.dial?.timeout ?? "5 seconds"),
    keepAlive,
    headersTimeout: Validate.duration("time.headers", time?.headers ?? "10 seconds"),
    bodyTimeout: Validate.duration("time.body", time?.body ?? "10 seconds"),
    redirects: Validate.integer("redirects", options.redirects ?? 5, 0),
    decompressMax: decompressMaxOf(options),
    dnsTtl: Duration.millis(Validate.finiteMillis("dns.ttl", dns?.ttl ?? "300 seconds")),
    resolve: dns?.resolve,
    userAgent: text("userAgent", options.userAgent ?? "breakwater", HEADER, "a text of visible ASCII"),
    tls: options.tls,
    healthPath: text("healthPath", options.healthPath ?? "/", /^\/[\x21-\x7e]*$/, "a path that begins with /"),
    warnings: [...warnings, ...warningsOf({ max: size.max, deadline: limits.deadline })]
  }
  // Its own checks are those of core; by the call, not by the first request.
  policyOf(settings, name, Effect.void)
  const { ejection } = settings
  if (ejection !== false) Validate.within("policy.ejection", () => OutlierEjection.make(ejection))
  return settings
}

const hostsGiven = ({ hosts, url }: Options): void => {
  if (hosts === undefined) return
  if (hosts.length === 0) Validate.refuse("hosts", hosts.length, "at least one URL")
  if (url !== undefined) Validate.refuse("url", "<redacted>", "none beside hosts, of which the first takes its place")
}

/** The policy of one origin. */
export type OriginPolicy = Policy.Policy<PolicyError>

/** What is done around each attempt at one origin. */
const attemptsOf = ({ parts, recover, timeout }: Settings, clear: Effect.Effect<void>) => {
  const { adaptiveLimit, breaker, bulkhead, chaos, rateLimit } = parts
  return {
    timeout,
    breaker,
    rateLimit,
    adaptiveLimit,
    bulkhead,
    chaos,
    recover: recover === false ? undefined : { ...recover, when: HttpOutcome.isBroken, clear },
    classify: HttpOutcome.fromExit
  }
}

/** What is done around all attempts. */
const callsOf = ({ deadline, parts: { hedge, retry, throttle } }: Settings) => ({ deadline, throttle, retry, hedge })

/** Of an origin by itself; `clear` replaces its connections. */
export const policyOf = (settings: Settings, name: string, clear: Effect.Effect<void>): OriginPolicy =>
  Validate.within("policy", () => Policy.make({ name, ...callsOf(settings), ...attemptsOf(settings, clear) }))

/** Of an origin that is one of several equals: the rest is `upstreamPolicyOf`. */
export const hostPolicyOf = (settings: Settings, name: string, clear: Effect.Effect<void>): OriginPolicy =>
  Policy.make({ name, ...attemptsOf(settings, clear) })

/** What of an update is of `hostPolicyOf`. */
export const ofHost = (
  { deadline: _deadline, hedge: _hedge, retry: _retry, throttle: _throttle, ...attempts }: Policy.Update
): Policy.Update => attempts

/** Of several equals, around the choice among them. */
export type UpstreamPolicy = Policy.Policy<PolicyError>

export const upstreamPolicyOf = (settings: Settings): UpstreamPolicy =>
  Policy.make({ name: settings.name, ...callsOf(settings), classify: HttpOutcome.fromExit })
