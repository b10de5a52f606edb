/**
 * Options, environment, URL and profile put together: each beats the next, the last is beaten by none but the defaults,
 * and what is given twice and different is a warning that names both.
 *
 * @internal
 */
import * as CallPolicy from "@breakwater/core/CallPolicy"
import * as Policy from "@breakwater/core/Policy"
import type { PolicyError } from "@breakwater/core/PolicyError"
import type * as Pool from "@breakwater/core/Pool"
import * as Profile from "@breakwater/core/Profile"
import type * as Recover from "@breakwater/core/Recover"
import type * as RetryBudget from "@breakwater/core/RetryBudget"
import * as Setting from "@breakwater/core/Setting"
import * as Validate from "@breakwater/core/Validate"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
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
   * profile's 10 (development), 30 (staging), 100 (production) or 2 (serverless, ours), else 50, as in the guides.
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
  /** When the shared connections are opened. Default `background`, with the profile serverless `lazy`. */
  readonly start?: Pool.Start | undefined
  /** `timeout`: default 10 seconds. Shared connections and subscriptions are held for good: there is no `maxHold`. */
  readonly wait?: Omit<NonNullable<Pool.Options<never, never, never>["wait"]>, "maxHold"> | undefined
  /** `timeout`: default `connect_timeout` of the URL, else 5 seconds, as in the guides. */
  readonly dial?: Pool.Options<never, never, never>["dial"]
  /** When reserved connections are replaced, idle ones closed. Default 30 minutes, 2 minutes (10 seconds in serverless). */
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
 * What is done around each command on a shared connection. On a connection of one's own there are the deadline and the
 * timeout, and around the wait for it all but the hedge and the limits.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyOptions extends CallPolicy.Options {
  /** The whole call: its waits, attempts, delays. Default 15 seconds, or three times a longer `timeout`. */
  readonly deadline?: Duration.Input | undefined
  /** One attempt. Default: `socket_timeout` of the URL, else 5 seconds where `deadline` is longer, as in the guides. */
  readonly timeout?: Duration.Input | undefined
  /**
   * Repeats what surely was not executed, and idempotent commands. Its budget pays for reconnects too. Default: 3 times, as
   * in the guides, unless there is a hedge. `false`: not.
   */
  readonly retry?: CallPolicy.Options["retry"]
  /**
   * Once a connection breaks under a command the others are replaced too, once for all callers, before anything is tried
   * again: see `Recover`. `false`: not.
   */
  readonly recover?: Pick<Recover.Options, "timeout"> | false | undefined
}

/**
 * How to reach a Redis, and how much of it to use.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Setting.Common {
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
  /**
   * Processes like this one. With more than one the warning that the server has too little room counts them all. Default
   * 1; `layerConfig` reads `BREAKWATER_REPLICAS`.
   */
  readonly replicas?: number | undefined
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
}

/** Options with every default resolved. */
export interface Settings extends Setting.Resolved {
  readonly clientName: string
  readonly replicas: number
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
  /** To begin with: those in force are the policies'. */
  readonly deadline: Duration.Duration
  readonly timeout: Duration.Duration
  /** For retries and reconnects together. */
  readonly budget: RetryBudget.RetryBudget
  /** Makes those of one pool, which `clear` clears. They have been checked: nothing is thrown. */
  readonly policies: (clear: Effect.Effect<void>) => Policies
}

/** What is done around the commands of one pool. */
export interface Policies {
  /** For commands on shared connections. */
  readonly shared: Policy.Policy<PolicyError>
  /** For the wait for a connection of one's own; what it shares with `shared` it has from there. */
  readonly reserving: Policy.Policy<PolicyError>
  /** For commands on a reserved connection: nothing is repeated there. */
  readonly held: Policy.Policy<PolicyError>
}

interface Preset {
  readonly max: number
  readonly start?: Pool.Start
  readonly idle?: Duration.Duration
}

const PRESETS: Record<Profile.Profile, Preset> = {
  development: { max: 10 },
  staging: { max: 30 },
  production: { max: 100 },
  serverless: Profile.serverless
}

interface Sources {
  readonly options: Options
  readonly url: FromUrl
  readonly environment: FromEnvironment
  readonly preset: Preset
  readonly warnings: Array<string>
}

const limitsOf = ({ environment, options: { policy = {} }, url, warnings }: Sources) => {
  const timeout = Setting.chooseTime(warnings, {
    option: ["policy.timeout", policy.timeout],
    variable: ["REDIS_SOCKET_TIMEOUT", environment.socketTimeout],
    url: ["socket_timeout", url.socketTimeout]
  })
  const limits = Setting.limits({ deadline: policy.deadline, timeout }, {
    deadline: "15 seconds",
    timeout: "5 seconds",
    attempts: 3
  })
  return { ...limits, timeout: limits.timeout ?? Duration.times(limits.deadline, 0.9) }
}

const connectionsOf = ({ environment, options: { connections = {} }, preset, url, warnings }: Sources) => {
  const chosen = Setting.choose(warnings, {
    option: ["connections.max", connections.max],
    variable: ["REDIS_MAX_CONNECTIONS", environment.maxConnections],
    url: ["max_connections", url.maxConnections]
  })
  // One that is shared and one that is not: a transaction or a subscription could never begin.
  const max = Validate.integer("connections.max", chosen ?? preset.max, 2)
  const shared = Validate.integer("connections.shared", connections.shared ?? Math.min(2, max - 1), 1, max - 1)
  const keep = Validate.integer("connections.keep", connections.keep ?? max, shared, max)
  return { max, shared, keep }
}

const tlsOf = ({ options, url, warnings }: Sources, host: string): ConnectionOptions | undefined => {
  const chosen = Setting.choose<boolean | ConnectionOptions>(
    warnings,
    { option: ["tls", options.tls], url: ["tls", url.tls] },
    (value) => value === false ? "plain text" : "TLS"
  ) ?? false
  if (chosen === false) return undefined
  const name = Net.isIP(host) === 0 ? { servername: host } : {}
  return { rejectUnauthorized: true, ...name, ...(chosen === true ? {} : chosen) }
}

const timesOf = ({ environment, options: { pool = {} }, url, warnings }: Sources) => {
  const dialTimeout = Setting.chooseTime(warnings, {
    option: ["pool.dial.timeout", pool.dial?.timeout],
    variable: ["REDIS_CONNECT_TIMEOUT", environment.connectTimeout],
    url: ["connect_timeout", url.connectTimeout]
  }) ?? Duration.seconds(5)
  return {
    dialTimeout,
    waitTimeout: Validate.duration("pool.wait.timeout", pool.wait?.timeout ?? "10 seconds"),
    maxWaiting: Validate.integer("pool.wait.maxWaiting", pool.wait?.maxWaiting ?? 1000, 1),
    checkTimeout: Validate.duration("pool.check.timeout", pool.check?.timeout ?? "1 second"),
    interval: Validate.duration("pool.check.interval", pool.check?.interval ?? "30 seconds")
  }
}

/** The guides' number of retries. */
const STANDARD = { retry: { times: 3 }, breaker: Policy.standard.breaker }

const policiesOf = (
  name: string,
  options: PolicyOptions,
  limits: { readonly deadline: Duration.Duration; readonly timeout: Duration.Duration }
): Pick<Settings, "budget" | "policies"> => {
  const { budget, parts } = CallPolicy.onOneBudget(CallPolicy.partsOf(options, ["recover"], STANDARD))
  const { recover } = options
  const held = { name, ...limits, classify: RedisOutcome.fromExit }
  const policies: Settings["policies"] = (clear) =>
    Validate.within("policy", () => {
      const shared = Policy.make({
        ...held,
        ...parts,
        recover: recover === false ? undefined : { ...recover, when: RedisOutcome.isBroken, clear }
      })
      return { shared, reserving: CallPolicy.borrowing(shared), held: Policy.make(held) }
    })
  policies(Effect.void)
  return { budget, policies }
}

/** Throws a `RangeError` for what is out of range; the parts of the URL were checked before. */
export const resolve = (options: Options, url: FromUrl, environment: FromEnvironment = {}): Settings => {
  const { critical = true, policy = {}, pool = {}, profile } = options
  const name = Validate.text("name", options.name)
  const preset = Profile.valuesOf(PRESETS, profile, { max: 50 })
  const warnings = [...url.warnings]
  const sources: Sources = { options, url, environment, preset, warnings }
  const limits = limitsOf(sources)
  const { keep, max, shared } = connectionsOf(sources)
  const times = timesOf(sources)
  const host = url.host ?? "localhost"
  return {
    name,
    // What the server does not allow in a name.
    clientName: name.replaceAll(/[^!-~]/g, "-"),
    critical,
    profile,
    poolType: Setting.poolType(options.poolType),
    overrides: Setting.overrides(profile, {
      "connections.max": [max, preset.max],
      "pool.start": [pool.start ?? preset.start, preset.start],
      "pool.lifetime.idle": [pool.lifetime?.idle ?? preset.idle, preset.idle]
    }),
    replicas: Validate.integer("replicas", options.replicas ?? 1, 1),
    server: {
      host,
      port: url.port ?? 6379,
      database: url.database ?? 0,
      username: url.username,
      password: url.password
    },
    tls: tlsOf(sources, host),
    max,
    shared,
    ...times,
    pool: {
      size: { max, keep },
      start: pool.start ?? preset.start,
      // The shared connections have places of their own in the queue: a full one must not keep them from being replaced.
      wait: { ...pool.wait, maxWaiting: times.maxWaiting + shared },
      dial: { ...pool.dial, timeout: times.dialTimeout },
      lifetime: { ...pool.lifetime, idle: pool.lifetime?.idle ?? preset.idle },
      check: { skipWithin: pool.check?.skipWithin, keepalive: pool.check?.keepalive, timeout: times.checkTimeout }
    },
    ...limits,
    ...policiesOf(name, policy, limits),
    warnings
  }
}
