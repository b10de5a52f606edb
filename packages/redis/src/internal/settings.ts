/**
 * Options, environment, URL and profile put together: each beats the next, the last is beaten by none but the defaults,
 * and what is given twice and different is a warning that names both.
 *
 * @internal
 */
import type * as CircuitBreaker from "@breakwater/core/CircuitBreaker"
import * as Policy from "@breakwater/core/Policy"
import type { PolicyError } from "@breakwater/core/PolicyError"
import type * as Pool from "@breakwater/core/Pool"
import type { Profile } from "@breakwater/core/Profile"
import type * as Retry from "@breakwater/core/Retry"
import * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import * as Net from "node:net"
import type { ConnectionOptions } from "node:tls"
import * as RedisOutcome from "../RedisOutcome.ts"
import type { FromUrl } from "./url.ts"

/**
 * How many connections.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionsOptions {
  /**
   * Never more than this many are open, of both kinds. At least 2. Default: `max_connections` of the URL, else the
   * profile's 10 (development), 30 (staging) or 100 (production), else 50, as in the guides.
   */
  readonly max?: number | undefined
  /** Opened at start, kept, and used by all callers at once. From 1 to `max - 1`. Default 2. */
  readonly shared?: number | undefined
  /** Beyond this many a reserved one closes on return when nobody waits. At least `shared`; default `max`. */
  readonly keep?: number | undefined
}

/**
 * The pool of connections: as `Pool.Options`, without what this package gives itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolOptions {
  /** When the shared connections are opened. Default `background`. */
  readonly start?: Pool.Start | undefined
  /** `timeout`: default 10 seconds. Shared connections and subscriptions are held for good: there is no `maxHold`. */
  readonly wait?: Omit<NonNullable<Pool.Options<never, never, never>["wait"]>, "maxHold"> | undefined
  /** `timeout`: default `connect_timeout` of the URL, else 5 seconds, as in the guides. */
  readonly dial?: Pool.Options<never, never, never>["dial"]
  /** When reserved connections are replaced, and idle ones closed. Default 30 minutes, 2 minutes. */
  readonly lifetime?: Pool.Options<never, never, never>["lifetime"]
  readonly check?: {
    /** Reserved connections used this recently are lent without a round trip first. Default 500 ms. */
    readonly skipWithin?: Duration.Input | undefined
    /** Reserved connections idle for this long make a round trip in the background. Default 30 seconds. */
    readonly keepalive?: Duration.Input | undefined
    /** Limit of a round trip. Default 1 second. */
    readonly timeout?: Duration.Input | undefined
    /** How often shared and subscribed connections are tried. Default 30 seconds, as in the guides. */
    readonly interval?: Duration.Input | undefined
  } | undefined
}

/**
 * What is done around each command.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyOptions {
  /** The whole call: its waits, attempts, delays. Default 15 seconds, or three times a longer `timeout`. */
  readonly deadline?: Duration.Input | undefined
  /** One attempt. Default: `socket_timeout` of the URL, else 5 seconds where `deadline` is longer, as in the guides. */
  readonly timeout?: Duration.Input | undefined
  /** Repeats what surely was not executed, and idempotent commands. Default: 3 times, as in the guides; 0: never. */
  readonly retry?: Omit<Retry.Options, "classify"> | undefined
  /** Stops calling a server that fails. Default: none. */
  readonly breaker?: Omit<CircuitBreaker.Options, "classify"> | undefined
}

/**
 * How to reach a Redis, and how much of it to use.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Appears in errors, events, statistics and logs, and is how the server's `CLIENT LIST` calls the connections. */
  readonly name: string
  /**
   * `redis://user:password@host:port/database`, percent-encoded; `rediss` means TLS. Its parameters, times in seconds:
   * `ssl`, `tls`, `db`, `max_connections`, `connect_timeout`, `socket_timeout`.
   */
  readonly url: Redacted.Redacted
  readonly connections?: ConnectionsOptions | undefined
  readonly pool?: PoolOptions | undefined
  readonly policy?: PolicyOptions | undefined
  /** Whether the process is not ready without it. Default true. */
  readonly critical?: boolean | undefined
  /**
   * TLS; certificates are checked unless `rejectUnauthorized` is false, against `ca` where it is given. Default: on with
   * `rediss` or `ssl=true`, else off.
   */
  readonly tls?: boolean | ConnectionOptions | undefined
}

/** What the environment says beside the URL; times in milliseconds. */
export interface FromEnvironment {
  readonly maxConnections?: number | undefined
  readonly connectTimeout?: number | undefined
  readonly socketTimeout?: number | undefined
  readonly profile?: Profile | undefined
}

/** Options with every default resolved. */
export interface Settings {
  readonly name: string
  readonly clientName: string
  readonly critical: boolean
  readonly server: {
    readonly host: string
    readonly port: number
    readonly database: number
    readonly username: string | undefined
    readonly password: Redacted.Redacted | undefined
  }
  /** `undefined`: plain text. */
  readonly tls: ConnectionOptions | undefined
  readonly max: number
  readonly shared: number
  readonly pool: Omit<Pool.Options<never, never, never>, "name" | "acquire" | "check" | "onReturn" | "cancel"> & {
    readonly check: Pick<NonNullable<PoolOptions["check"]>, "skipWithin" | "keepalive" | "timeout">
  }
  readonly dialTimeout: Duration.Duration
  readonly waitTimeout: Duration.Duration
  readonly maxWaiting: number
  readonly checkTimeout: Duration.Duration
  readonly interval: Duration.Duration
  readonly deadline: Duration.Duration
  readonly timeout: Duration.Duration
  /** A failure after this many milliseconds throws suspicion on the connection. */
  readonly suspectAfter: number
  /** For commands on shared connections, and for the wait for one of one's own. */
  readonly policy: Policy.Policy<PolicyError>
  /** For commands on a reserved connection: nothing is repeated there. */
  readonly held: Policy.Policy<PolicyError>
  readonly warnings: ReadonlyArray<string>
}

const PROFILE_MAX: Record<Profile, number> = { development: 10, staging: 30, production: 100 }

const refuse = (option: string, value: string, allowed: string): never => {
  throw new RangeError(`Option "${option}" is ${value}; allowed is ${allowed}.`)
}

const integer = (option: string, value: number, least: number, most: number): number =>
  Number.isSafeInteger(value) && value >= least && value <= most
    ? value
    : refuse(
      option,
      String(value),
      `a whole number ${most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`}`
    )

const show = (value: unknown): string => {
  if (Duration.isDuration(value)) return Duration.format(value)
  // What is an object may hold a private key.
  return typeof value === "object" ? "given" : JSON.stringify(value)
}

const duration = (option: string, input: Duration.Input): Duration.Duration => {
  const decoded = Duration.fromInput(input)
  return decoded._tag === "Some" && Duration.isFinite(decoded.value) && Duration.toMillis(decoded.value) > 0
    ? decoded.value
    : refuse(option, show(input), "a finite duration longer than zero")
}

interface Source<A> {
  readonly from: string
  readonly value: A | undefined
}

/** The first that says something; complains of the next that says something else. */
const choose = <A>(
  warnings: Array<string>,
  sources: ReadonlyArray<Source<A>>,
  text: (value: A) => string = show
): A | undefined => {
  const said = sources.filter(({ value }) => value !== undefined)
  const [first, ...others] = said
  if (first?.value === undefined) return undefined
  for (const { from, value } of others) {
    if (value === undefined || text(value) === text(first.value)) continue
    const [one, two] = [text(first.value), text(value)]
    warnings.push(`${first.from} (${one}) and ${from} (${two}) differ; ${first.from} counts`)
  }
  return first.value
}

const timeOf = (millis: number | undefined): Duration.Duration | undefined =>
  millis === undefined ? undefined : Duration.millis(millis)

const given = (option: string, input: Duration.Input | undefined): Duration.Duration | undefined =>
  input === undefined ? undefined : duration(option, input)

const limitsOf = (options: PolicyOptions, url: FromUrl, environment: FromEnvironment, warnings: Array<string>) => {
  const wanted = given("policy.deadline", options.deadline)
  const chosen = choose(warnings, [
    { from: "the option policy.timeout", value: given("policy.timeout", options.timeout) },
    { from: "REDIS_SOCKET_TIMEOUT", value: timeOf(environment.socketTimeout) },
    { from: "the URL's socket_timeout", value: timeOf(url.socketTimeout) }
  ])
  const fallback = Duration.min(
    Duration.seconds(5),
    wanted === undefined ? Duration.infinity : Duration.times(wanted, 0.9)
  )
  const timeout = chosen ?? fallback
  const deadline = wanted ?? Duration.max(Duration.seconds(15), Duration.times(timeout, 3))
  if (Duration.isGreaterThanOrEqualTo(timeout, deadline)) {
    return refuse("policy.timeout", show(timeout), `less than policy.deadline, which is ${show(deadline)}`)
  }
  return { deadline, timeout }
}

const connectionsOf = (
  options: ConnectionsOptions,
  url: FromUrl,
  environment: FromEnvironment,
  warnings: Array<string>
) => {
  const chosen = choose(warnings, [
    { from: "the option connections.max", value: options.max },
    { from: "REDIS_MAX_CONNECTIONS", value: environment.maxConnections },
    { from: "the URL's max_connections", value: url.maxConnections }
  ])
  const fallback = environment.profile === undefined ? 50 : PROFILE_MAX[environment.profile]
  // One that is shared and one that is not: a transaction or a subscription could never begin.
  const max = integer("connections.max", chosen ?? fallback, 2, Number.MAX_SAFE_INTEGER)
  const shared = integer("connections.shared", options.shared ?? Math.min(2, max - 1), 1, max - 1)
  const keep = integer("connections.keep", options.keep ?? max, shared, max)
  return { max, shared, keep }
}

const tlsOf = (
  options: Options,
  url: FromUrl,
  host: string,
  warnings: Array<string>
): ConnectionOptions | undefined => {
  const chosen = choose<boolean | ConnectionOptions>(
    warnings,
    [{ from: "the option tls", value: options.tls }, { from: "the URL", value: url.tls }],
    (value) => value === false ? "plain text" : "TLS"
  ) ?? false
  if (chosen === false) return undefined
  const name = Net.isIP(host) === 0 ? { servername: host } : {}
  return { rejectUnauthorized: true, ...name, ...(chosen === true ? {} : chosen) }
}

const poolOf = (options: PoolOptions, url: FromUrl, environment: FromEnvironment, warnings: Array<string>) => {
  const dialTimeout = choose(warnings, [
    { from: "the option pool.dial.timeout", value: given("pool.dial.timeout", options.dial?.timeout) },
    { from: "REDIS_CONNECT_TIMEOUT", value: timeOf(environment.connectTimeout) },
    { from: "the URL's connect_timeout", value: timeOf(url.connectTimeout) }
  ]) ?? Duration.seconds(5)
  return {
    dialTimeout,
    waitTimeout: duration("pool.wait.timeout", options.wait?.timeout ?? "10 seconds"),
    maxWaiting: integer("pool.wait.maxWaiting", options.wait?.maxWaiting ?? 1000, 1, Number.MAX_SAFE_INTEGER),
    checkTimeout: duration("pool.check.timeout", options.check?.timeout ?? "1 second"),
    interval: duration("pool.check.interval", options.check?.interval ?? "30 seconds")
  }
}

const policiesOf = (
  name: string,
  { breaker, retry }: PolicyOptions,
  limits: { readonly deadline: Duration.Duration; readonly timeout: Duration.Duration }
) => {
  const common = { name, ...limits, classify: RedisOutcome.fromExit }
  return {
    policy: Policy.make({ ...common, retry: retry ?? { times: 3 }, breaker }),
    held: Policy.make(common)
  }
}

/** Throws a `RangeError` for what is out of range; the parts of the URL were checked before. */
export const resolve = (options: Options, url: FromUrl, environment: FromEnvironment = {}): Settings => {
  if (typeof options.name !== "string" || options.name === "") {
    refuse("name", show(options.name), "a text that is not empty")
  }
  const { critical = true, name, policy: policyOptions = {}, pool = {} } = options
  const warnings = [...url.warnings]
  const limits = limitsOf(policyOptions, url, environment, warnings)
  const { keep, max, shared } = connectionsOf(options.connections ?? {}, url, environment, warnings)
  const times = poolOf(pool, url, environment, warnings)
  const host = url.host ?? "localhost"
  return {
    name,
    // What the server does not allow in a name.
    clientName: name.replaceAll(/[^!-~]/g, "-"),
    critical,
    server: {
      host,
      port: url.port ?? 6379,
      database: url.database ?? 0,
      username: url.username,
      password: url.password
    },
    tls: tlsOf(options, url, host, warnings),
    max,
    shared,
    ...times,
    pool: {
      size: { max, keep },
      start: pool.start,
      // The shared connections have places of their own in the queue: a full one must not keep them from being replaced.
      wait: { ...pool.wait, maxWaiting: times.maxWaiting + shared },
      dial: { ...pool.dial, timeout: times.dialTimeout },
      lifetime: pool.lifetime,
      check: { skipWithin: pool.check?.skipWithin, keepalive: pool.check?.keepalive, timeout: times.checkTimeout }
    },
    ...limits,
    suspectAfter: Duration.toMillis(limits.timeout),
    ...policiesOf(name, policyOptions, limits),
    warnings
  }
}
