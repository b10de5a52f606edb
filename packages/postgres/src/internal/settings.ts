/**
 * The options and the URL, put together: options beat the URL, the URL beats the defaults, and what is given twice and
 * different is a warning that names both.
 *
 * @internal
 */
import type * as CircuitBreaker from "@breakwater/core/CircuitBreaker"
import * as Policy from "@breakwater/core/Policy"
import type { PolicyError } from "@breakwater/core/PolicyError"
import type * as Pool from "@breakwater/core/Pool"
import type * as Retry from "@breakwater/core/Retry"
import type * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import type { ConnectionOptions } from "node:tls"
import * as PostgresOutcome from "../PostgresOutcome.ts"
import type { FromUrl } from "./url.ts"

/**
 * The pool of sessions: as `Pool.Options`, without what this package gives itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolOptions {
  readonly size?: {
    /** Sessions kept open. Default 0. */
    readonly min?: number | undefined
    /** Never more than this many are open. Default: `connection_limit` of the URL, else 10. */
    readonly max?: number | undefined
    /** Beyond this many a session closes on return when nobody waits. Default `max`. */
    readonly keep?: number | undefined
  } | undefined
  /** When the first sessions are opened. Default `background`. */
  readonly start?: Pool.Start | undefined
  /** `timeout`: default `pool_timeout` of the URL, else 10 seconds. */
  readonly wait?: Pool.Options<never, never, never>["wait"]
  /** `timeout`: default `connect_timeout` of the URL, else 5 seconds. `concurrency` also bounds CancelRequests. */
  readonly dial?: Pool.Options<never, never, never>["dial"]
  /** When sessions are replaced, and idle ones closed. Default 30 minutes, 2 minutes. */
  readonly lifetime?: Pool.Options<never, never, never>["lifetime"]
  readonly check?: {
    /** Sessions used this recently are lent without a round trip first. Default 500 ms. */
    readonly skipWithin?: Duration.Input | undefined
    /** Sessions idle for this long make a round trip in the background. Default 30 seconds. */
    readonly keepalive?: Duration.Input | undefined
    /** Limit of that round trip. Default 1 second. */
    readonly timeout?: Duration.Input | undefined
  } | undefined
}

/**
 * What is done around each statement.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyOptions {
  /** The whole call: the wait for a session, attempts, delays. Default 60 seconds, or twice a longer `timeout`. */
  readonly deadline?: Duration.Input | undefined
  /**
   * One attempt, from the moment it has a session; also the server's `statement_timeout`. Default: `socket_timeout`
   * of the URL, else 30 seconds where `deadline` is longer.
   */
  readonly timeout?: Duration.Input | undefined
  /** Repeats what failed before it was sent, and idempotent statements. Default: nothing is repeated. */
  readonly retry?: Omit<Retry.Options, "classify"> | undefined
  /** Stops asking a server that fails. Statements inside a transaction go through. Default: none. */
  readonly breaker?: Omit<CircuitBreaker.Options, "classify"> | undefined
  /**
   * `"idempotent"`: plain SELECT, SHOW, VALUES and TABLE outside a transaction may be repeated. Off by default, since
   * a function called by a SELECT may write.
   */
  readonly reads?: "idempotent" | undefined
}

/**
 * How to reach a database, and how much of it to use.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Appears in errors, events, statistics and logs. */
  readonly name: string
  /**
   * `postgres://user:password@host:port/database`, percent-encoded. A host that begins with `/` is the folder of a
   * unix socket. Its parameters, times in seconds: `connection_limit`, `pool_timeout`, `connect_timeout`,
   * `socket_timeout` (0: an attempt has no bound of its own, the deadline stays), `pgbouncer`, `sslmode`, and libpq's
   * `host port user password dbname application_name options`.
   */
  readonly url: Redacted.Redacted
  readonly pool?: PoolOptions | undefined
  readonly policy?: PolicyOptions | undefined
  /** Whether the process is not ready without it. Default true. */
  readonly critical?: boolean | undefined
  /** Prepared statements. Default true, false with `pgbouncer=true`. */
  readonly prepare?: boolean | undefined
  /** TLS; certificates are checked unless `rejectUnauthorized` is false. Default: `sslmode` of the URL, else none. */
  readonly ssl?: boolean | ConnectionOptions | undefined
  /** How the server's views name the sessions. Default: `application_name` of the URL, else `name`. */
  readonly applicationName?: string | undefined
  /** Session defaults such as `search_path`. A `statement_timeout` here wins over `policy.timeout`. */
  readonly startupParameters?: Readonly<Record<string, string>> | undefined
  /** Names and types between rows and values, as in `PgClient`. */
  readonly transform?: {
    readonly queryNames?: ((name: string) => string) | undefined
    readonly resultNames?: ((name: string) => string) | undefined
    readonly json?: boolean | undefined
    readonly types?: PgTypes.Registry | undefined
  } | undefined
}

/** What may go wrong in `policy`. */
export type StatementPolicy = ReturnType<typeof makePolicy>

/** Options with every default resolved. */
export interface Settings {
  readonly name: string
  readonly critical: boolean
  readonly server: {
    readonly host: string
    readonly port: number
    readonly path: string | undefined
    readonly database: string | undefined
    readonly username: string | undefined
    readonly password: Redacted.Redacted | undefined
  }
  readonly ssl: boolean | ConnectionOptions | "prefer"
  /** The URL says that PgBouncer is in between. */
  readonly bouncer: boolean
  readonly prepare: boolean
  readonly applicationName: string
  readonly startupParameters: Readonly<Record<string, string>>
  readonly startupOptions: string | undefined
  readonly types: PgTypes.Registry | undefined
  readonly transform: NonNullable<Options["transform"]>
  readonly pool: Omit<Pool.Options<never, never, never>, "name" | "acquire" | "check" | "onReturn" | "cancel"> & {
    readonly check: PoolOptions["check"]
  }
  readonly dialTimeout: Duration.Input
  readonly readsAreIdempotent: boolean
  readonly retry: PolicyOptions["retry"]
  readonly deadline: Duration.Duration
  readonly timeout: Duration.Duration | undefined
  /** For statements outside of a transaction, and for BEGIN. */
  readonly policy: StatementPolicy
  /** For statements inside: nothing is repeated there. */
  readonly inTransaction: StatementPolicy
  readonly warnings: ReadonlyArray<string>
}

const DEFAULT_MAX = 10
const DEFAULT_TIMEOUT = Duration.seconds(30)
const DEFAULT_DEADLINE = Duration.seconds(60)

const makePolicy = (name: string, limits: {
  readonly deadline: Duration.Duration
  readonly timeout: Duration.Duration | undefined
  readonly retry: PolicyOptions["retry"]
  readonly breaker: PolicyOptions["breaker"]
}): Policy.Policy<PolicyError> => Policy.make({ name, ...limits, classify: PostgresOutcome.fromExit })

/** For warnings. What is an object may hold a private key. */
const show = (value: unknown): string => {
  if (Duration.isDuration(value)) return Duration.format(value)
  return typeof value === "object" ? "given" : JSON.stringify(value)
}

/** Takes what the options say, or else the URL; complains where both speak and differ. */
const choose = <A>(
  warnings: Array<string>,
  option: string,
  given: A | undefined,
  parameter: string,
  fromUrl: A | undefined,
  same: (a: A, b: A) => boolean = Object.is
): A | undefined => {
  if (given !== undefined && fromUrl !== undefined && !same(given, fromUrl)) {
    warnings.push(
      `the option ${option} (${show(given)}) and the URL's ${parameter} (${show(fromUrl)}) differ; the option counts`
    )
  }
  return given ?? fromUrl
}

const millisOf = (input: Duration.Input): number => {
  const decoded = Duration.fromInput(input)
  return decoded._tag === "Some" ? Duration.toMillis(decoded.value) : NaN
}

const sameTime = (a: Duration.Input, b: Duration.Input): boolean => millisOf(a) === millisOf(b)

const sameTls = (a: Settings["ssl"], b: Settings["ssl"]): boolean => (a === false) === (b === false)

const timeOf = (millis: number | undefined): Duration.Duration | undefined =>
  millis === undefined ? undefined : Duration.millis(millis)

const poolOf = (options: PoolOptions, url: FromUrl, warnings: Array<string>) => {
  const dialTimeout = choose(
    warnings,
    "pool.dial.timeout",
    options.dial?.timeout,
    "connect_timeout",
    timeOf(url.connectTimeout),
    sameTime
  ) ??
    Duration.seconds(5)
  return {
    dialTimeout,
    pool: {
      size: {
        min: options.size?.min,
        max: choose(warnings, "pool.size.max", options.size?.max, "connection_limit", url.connectionLimit) ??
          DEFAULT_MAX,
        keep: options.size?.keep
      },
      start: options.start,
      wait: {
        ...options.wait,
        timeout: choose(
          warnings,
          "pool.wait.timeout",
          options.wait?.timeout,
          "pool_timeout",
          timeOf(url.poolTimeout),
          sameTime
        )
      },
      dial: { ...options.dial, timeout: dialTimeout },
      lifetime: options.lifetime,
      check: options.check
    }
  }
}

const requireDuration = (option: string, input: Duration.Input): Duration.Duration => {
  const decoded = Duration.fromInput(input)
  if (decoded._tag === "Some" && Duration.isFinite(decoded.value) && Duration.toMillis(decoded.value) > 0) {
    return decoded.value
  }
  throw new RangeError(`${option} is ${show(input)}; allowed is a finite duration longer than zero`)
}

const limitsOf = (options: PolicyOptions, url: FromUrl, warnings: Array<string>) => {
  const given = options.deadline === undefined ? undefined : requireDuration("policy.deadline", options.deadline)
  const chosen = choose(
    warnings,
    "policy.timeout",
    options.timeout,
    "socket_timeout",
    timeOf(url.socketTimeout),
    sameTime
  )
  if (options.timeout === undefined && url.socketTimeout === 0) {
    const deadline = given ?? DEFAULT_DEADLINE
    warnings.push(
      `socket_timeout=0 lifts the bound of an attempt only: the deadline of ${Duration.format(deadline)} stays`
    )
    return { deadline, timeout: undefined }
  }
  if (chosen === undefined) {
    const deadline = given ?? DEFAULT_DEADLINE
    return { deadline, timeout: Duration.isLessThan(DEFAULT_TIMEOUT, deadline) ? DEFAULT_TIMEOUT : undefined }
  }
  const timeout = requireDuration("policy.timeout", chosen)
  const deadline = given ?? Duration.max(DEFAULT_DEADLINE, Duration.times(timeout, 2))
  if (Duration.isGreaterThanOrEqualTo(timeout, deadline)) {
    const source = options.timeout === undefined ? "socket_timeout of the URL" : "policy.timeout"
    throw new RangeError(
      `${source} is ${Duration.format(timeout)}; allowed is less than policy.deadline, which is ${
        Duration.format(deadline)
      }`
    )
  }
  return { deadline, timeout }
}

const startupParametersOf = (options: Options, bouncer: boolean, bound: Duration.Duration) => {
  const given = Object.fromEntries(
    Object.entries(options.startupParameters ?? {}).map(([name, value]) => [name.toLowerCase(), value])
  )
  // PgBouncer refuses parameters that it does not track.
  return bouncer ? given : { statement_timeout: String(Math.ceil(Duration.toMillis(bound))), ...given }
}

const serverOf = (url: FromUrl): Settings["server"] => {
  const host = url.host ?? "localhost"
  const port = url.port ?? 5432
  return {
    host,
    port,
    path: host.startsWith("/") ? `${host}/.s.PGSQL.${port}` : undefined,
    database: url.database,
    username: url.username,
    password: url.password
  }
}

/** Throws a `RangeError` for what is out of range; the parts of the URL were checked before. */
export const resolve = (options: Options, url: FromUrl): Settings => {
  if (typeof options.name !== "string" || options.name === "") {
    throw new RangeError(`name is ${JSON.stringify(options.name)}; allowed is a text that is not empty`)
  }
  const { critical = true, name, policy: { breaker, reads, retry } = {} } = options
  if (reads !== undefined && reads !== "idempotent") {
    throw new RangeError(`policy.reads is ${JSON.stringify(reads)}; allowed is "idempotent"`)
  }
  const warnings = [...url.warnings]
  const { deadline, timeout } = limitsOf(options.policy ?? {}, url, warnings)
  const bouncer = url.pgbouncer === true
  const ssl = choose<Settings["ssl"]>(warnings, "ssl", options.ssl, "sslmode", url.ssl, sameTls)
  return {
    name,
    critical,
    server: serverOf(url),
    ssl: ssl ?? false,
    bouncer,
    prepare: choose(warnings, "prepare", options.prepare, "pgbouncer", bouncer ? false : undefined) ?? true,
    applicationName:
      choose(warnings, "applicationName", options.applicationName, "application_name", url.applicationName) ??
        name,
    startupParameters: startupParametersOf(options, bouncer, timeout ?? deadline),
    startupOptions: url.options,
    types: options.transform?.types,
    transform: options.transform ?? {},
    ...poolOf(options.pool ?? {}, url, warnings),
    readsAreIdempotent: reads === "idempotent",
    retry,
    deadline,
    timeout,
    policy: makePolicy(name, { deadline, timeout, retry, breaker }),
    inTransaction: makePolicy(name, { deadline, timeout, retry: undefined, breaker: undefined }),
    warnings
  }
}
