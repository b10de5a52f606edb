/**
 * The options, the URL and the profile, put together: each beats those after it, the defaults come last, and what is
 * given twice and different is a warning that names both.
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
import type * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ConnectionOptions } from "node:tls"
import * as PostgresOutcome from "../PostgresOutcome.ts"
import { type Role, waivesWrites } from "./role.ts"
import type { FromUrl, Place } from "./url.ts"

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
    /**
     * Never more than this many are open. Default: `connection_limit` of the URL, else the profile's 10 (development), 30
     * (staging), 50 (production) or 2 (serverless), else 10.
     */
    readonly max?: number | undefined
    /** Beyond this many a session closes on return when nobody waits. Default `max`. */
    readonly keep?: number | undefined
  } | undefined
  /** When the first sessions are opened. Default `background`, with the profile serverless `lazy`. */
  readonly start?: Pool.Start | undefined
  /**
   * `timeout`: default `pool_timeout` of the URL, else the profile's 10 (development), 15 (staging) or 20 seconds
   * (production), else 10 seconds.
   */
  readonly wait?: Pool.Options<never, never, never>["wait"]
  /**
   * `timeout`: default `connect_timeout` of the URL, else the profile's 10 seconds (staging, production), else 5 seconds.
   * `concurrency` also bounds CancelRequests.
   */
  readonly dial?: Pool.Options<never, never, never>["dial"]
  /** When sessions are replaced, and idle ones closed. Default 30 minutes, 2 minutes (10 seconds in serverless). */
  readonly lifetime?: Pool.Options<never, never, never>["lifetime"]
  /** Round trips, where a session has been idle. `skipWithin`: default 500 ms; `keepalive`: 30 seconds; `timeout`: 1 second. */
  readonly check?: Omit<NonNullable<Pool.Options<never, never, never>["check"]>, "test" | "isAlive"> | undefined
  /** `after`: a session that is held for longer is named by the event `Leaked`, also one that listens. Default: none is. */
  readonly leak?: Pool.Options<never, never, never>["leak"]
}

/**
 * What is done around each statement outside of a transaction. Inside there are the deadline and the timeout, and around
 * the wait for a session of one's own all but the hedge and the limits: its borrower does more with it
 * than one statement, and the pool bounds how many there are.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyOptions extends CallPolicy.Options {
  /** The whole call: the wait for a session, attempts, delays. Default 60 seconds, or twice a longer `timeout`. */
  readonly deadline?: Duration.Input | undefined
  /**
   * One attempt, from the moment it has a session; also the server's `statement_timeout`. Default: `socket_timeout`
   * of the URL, else 30 seconds where `deadline` is longer.
   */
  readonly timeout?: Duration.Input | undefined
  /**
   * Repeats what failed before it was sent, and idempotent statements. Its budget pays for reconnects too. Default: as
   * `Policy.standard`, unless there is a hedge. `false`: not.
   */
  readonly retry?: CallPolicy.Options["retry"]
  /**
   * Once a connection breaks under a statement the others are replaced too, once for all callers, before anything is
   * tried again: see `Recover`. `false`: not.
   */
  readonly recover?: Pick<Recover.Options, "timeout"> | false | undefined
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
export interface Options extends Setting.Common {
  /**
   * `postgres://user:password@host:port/database`, percent-encoded; with several, `host:port,host:port`, they are tried in
   * turn for each session, from the one on that the last was found at. A host that begins with `/` is the folder of a unix
   * socket. Its parameters, times in seconds: `connection_limit`, `pool_timeout`, `connect_timeout`,
   * `socket_timeout` (0: an attempt has no bound of its own, the deadline stays), `pgbouncer`, `sslmode`, `ssl` (true
   * is `sslmode=require`), and libpq's `host port user password dbname application_name options
   * target_session_attrs`.
   */
  readonly url: Redacted.Redacted
  readonly pool?: PoolOptions | undefined
  readonly policy?: PolicyOptions | undefined
  /**
   * Processes like this one. With more than one the warning that the server has too little room counts them all. Default
   * 1; `layerConfig` reads `BREAKWATER_REPLICAS`.
   */
  readonly replicas?: number | undefined
  /** Prepared statements. Default true, false with `pgbouncer=true`. */
  readonly prepare?: boolean | undefined
  /** TLS; certificates are checked unless `rejectUnauthorized` is false. Default: `sslmode` of the URL, else none. */
  readonly ssl?: boolean | ConnectionOptions | undefined
  /** How the server's views name the sessions. Default: `application_name` of the URL, else `name`. */
  readonly applicationName?: string | undefined
  /** Session defaults such as `search_path`. A `statement_timeout` here wins over `policy.timeout`. */
  readonly startupParameters?: Readonly<Record<string, string>> | undefined
  /**
   * What is logged. Of a statement it is the text, in which `?` stands for every value; parameters are not. A stream, and
   * what runs on the session of `use`, is not among them.
   */
  readonly log?: {
    /** Statements that take so long on their session. `warn`: default 1 second; `error`: default 3, or three times a longer `warn`. `false`: none. */
    readonly slow?:
      | { readonly warn?: Duration.Input | undefined; readonly error?: Duration.Input | undefined }
      | false
      | undefined
    /** Every statement, with its time. Default false. */
    readonly statements?: boolean | undefined
    /** Every session that is opened, lent, given back, closed. Default false. */
    readonly connections?: boolean | undefined
  } | undefined
  /** Names and types between rows and values, as in `PgClient`. */
  readonly transform?: {
    readonly queryNames?: ((name: string) => string) | undefined
    readonly resultNames?: ((name: string) => string) | undefined
    readonly json?: boolean | undefined
    readonly types?: PgTypes.Registry | undefined
  } | undefined
}

export type StatementPolicy = Policy.Policy<PolicyError>

/** What is done around the statements of one pool. */
export interface Policies {
  /** For statements outside of a transaction. */
  readonly outside: StatementPolicy
  /** For BEGIN; what it shares with `outside` it has from there, as does the next. */
  readonly opening: StatementPolicy
  /** For the wait for a session of one's own. */
  readonly borrowing: StatementPolicy
  /** For statements inside: nothing is repeated there. */
  readonly inside: StatementPolicy
}

/** Where one server is. */
export interface Host {
  readonly host: string
  readonly port: number
  /** Of its unix socket. */
  readonly path: string | undefined
}

/** Options with every default resolved. */
export interface Settings extends Setting.Resolved {
  readonly replicas: number
  /** In the order in which they are tried. */
  readonly hosts: readonly [Host, ...ReadonlyArray<Host>]
  /** Which servers are sought, one after the other, each among all hosts. */
  readonly searches: readonly [Role, ...ReadonlyArray<Role>]
  readonly server: {
    readonly database: string | undefined
    readonly username: string | undefined
    readonly password: Redacted.Redacted | undefined
  }
  readonly ssl: boolean | ConnectionOptions | "prefer"
  /** Which server will do. */
  readonly role: Role
  /** Whether a server that refuses a write is not the one that is sought. */
  readonly writes: boolean
  /** The URL says that PgBouncer is in between. */
  readonly bouncer: boolean
  readonly prepare: boolean
  readonly applicationName: string
  readonly startupParameters: Readonly<Record<string, string>>
  /** Whether their `statement_timeout` is that of an attempt. */
  readonly boundsStatements: boolean
  readonly startupOptions: string | undefined
  readonly types: PgTypes.Registry | undefined
  readonly transform: NonNullable<Options["transform"]>
  /** Times in milliseconds. */
  readonly log: {
    readonly warn: number
    readonly error: number
    readonly statements: boolean
    readonly connections: boolean
  }
  readonly pool: Omit<Pool.Options<never, never, never>, "name" | "acquire" | "check" | "onReturn" | "cancel"> & {
    readonly check: PoolOptions["check"]
  }
  readonly dialTimeout: Duration.Duration
  readonly waitTimeout: Duration.Duration
  readonly readsAreIdempotent: boolean
  /** For retries and reconnects together. */
  readonly budget: RetryBudget.RetryBudget
  /** To begin with: those in force are the policies'. */
  readonly deadline: Duration.Duration
  readonly timeout: Duration.Duration | undefined
  /** Makes those of one pool, which `clear` clears. They have been checked: nothing is thrown. */
  readonly policies: (clear: Effect.Effect<void>) => Policies
}

/** Times in seconds, as in the guides' URLs. They have none for staging: it has those of their medium service. */
interface Preset {
  readonly max: number
  readonly wait?: number
  readonly dial?: number
  readonly start?: Pool.Start
  readonly idle?: Duration.Duration
}

const PRESETS: Record<Profile.Profile, Preset> = {
  development: { max: 10, wait: 10 },
  staging: { max: 30, wait: 15, dial: 10 },
  production: { max: 50, wait: 20, dial: 10 },
  serverless: Profile.serverless
}

const policiesOf = (
  name: string,
  limits: Setting.Limits,
  options: PolicyOptions
): Pick<Settings, "budget" | "policies"> => {
  const { budget, parts } = CallPolicy.onOneBudget(CallPolicy.partsOf(options, ["recover", "reads"]))
  const { recover } = options
  const inside = { name, ...limits, classify: PostgresOutcome.fromExit }
  const policies: Settings["policies"] = (clear) =>
    Validate.within("policy", () => {
      const outside = Policy.make({
        ...inside,
        ...parts,
        recover: recover === false ? undefined : { ...recover, when: PostgresOutcome.isBroken, clear }
      })
      return {
        outside,
        opening: CallPolicy.opening(outside),
        borrowing: CallPolicy.borrowing(outside),
        inside: Policy.make(inside)
      }
    })
  policies(Effect.void)
  return { budget, policies }
}

interface Sources {
  readonly options: Options
  readonly url: FromUrl
  readonly preset: Preset
  readonly warnings: Array<string>
}

const poolOf = ({ options: { pool = {} }, preset, url, warnings }: Sources) => {
  const dialTimeout = Setting.chooseTime(warnings, {
    option: ["pool.dial.timeout", pool.dial?.timeout],
    url: ["connect_timeout", url.connectTimeout]
  }) ?? Duration.seconds(preset.dial ?? 5)
  const waitTimeout = Setting.chooseTime(warnings, {
    option: ["pool.wait.timeout", pool.wait?.timeout],
    url: ["pool_timeout", url.poolTimeout]
  }) ?? Duration.seconds(preset.wait ?? 10)
  const max = Setting.choose(warnings, {
    option: ["pool.size.max", pool.size?.max],
    url: ["connection_limit", url.connectionLimit]
  }) ?? preset.max
  return {
    dialTimeout,
    waitTimeout,
    pool: {
      size: { ...pool.size, max },
      start: pool.start ?? preset.start,
      wait: { ...pool.wait, timeout: waitTimeout },
      // Each host, and each time that it is tried, has a limit of its own.
      dial: { ...pool.dial, timeout: Duration.times(dialTimeout, triesOf(url)) },
      lifetime: { ...pool.lifetime, idle: pool.lifetime?.idle ?? preset.idle },
      check: pool.check,
      leak: pool.leak
    }
  }
}

const overridesOf = (profile: Profile.Profile | undefined, preset: Preset, { pool }: ReturnType<typeof poolOf>) =>
  Setting.overrides(profile, {
    "pool.size.max": [pool.size.max, preset.max],
    "pool.wait.timeout": [pool.wait.timeout, preset.wait && Duration.seconds(preset.wait)],
    "pool.dial.timeout": [pool.dial.timeout, preset.dial && Duration.seconds(preset.dial)],
    "pool.start": [pool.start, preset.start],
    "pool.lifetime.idle": [pool.lifetime.idle, preset.idle]
  })

const triesOf = ({ others = [], standbyFirst = false }: FromUrl): number => (1 + others.length) * (standbyFirst ? 2 : 1)

const limitsOf = ({ options: { policy = {} }, url, warnings }: Sources): Setting.Limits => {
  const { deadline } = policy
  const defaults = { deadline: "60 seconds", timeout: "30 seconds", attempts: 2 } as const
  if (policy.timeout === undefined && url.socketTimeout === 0) {
    const limits = Setting.limits({ deadline }, { ...defaults, timeout: undefined })
    warnings.push(
      `socket_timeout=0 lifts the bound of an attempt only: the deadline of ${Setting.show(limits.deadline)} stays`
    )
    return limits
  }
  const timeout = Setting.chooseTime(warnings, {
    option: ["policy.timeout", policy.timeout],
    url: ["socket_timeout", url.socketTimeout]
  })
  return Setting.limits({ deadline, timeout }, defaults)
}

const tlsOf = ({ options, url, warnings }: Sources): Settings["ssl"] =>
  Setting.choose<Settings["ssl"]>(
    warnings,
    { option: ["ssl", options.ssl], url: ["sslmode or ssl", url.ssl] },
    (value) => value === false ? "plain text" : "TLS"
  ) ?? false

const STATEMENT_TIMEOUT = "statement_timeout"

const bounding = ({ deadline, timeout = deadline }: Policy.Limits) =>
  timeout === undefined ? {} : { [STATEMENT_TIMEOUT]: String(Math.ceil(Duration.toMillis(timeout))) }

const startupOf = (options: Options, bouncer: boolean, limits: Setting.Limits) => {
  const given = Object.fromEntries(
    Object.entries(options.startupParameters ?? {}).map(([name, value]) => [name.toLowerCase(), value])
  )
  // PgBouncer refuses parameters that it does not track.
  const boundsStatements = !bouncer && given[STATEMENT_TIMEOUT] === undefined
  return { boundsStatements, startupParameters: boundsStatements ? { ...given, ...bounding(limits) } : given }
}

/** The same, as a policy that may be changed has it: for sessions that are opened then. */
export const following = (settings: Settings, policy: StatementPolicy): Settings =>
  settings.boundsStatements
    ? {
      ...settings,
      get startupParameters() {
        return { ...settings.startupParameters, ...bounding(Policy.limits(policy)) }
      }
    }
    : settings

const hostOf = ({ host = "localhost", port = 5432 }: Partial<Place>): Host => ({
  host,
  port,
  path: host.startsWith("/") ? `${host}/.s.PGSQL.${port}` : undefined
})

const placesOf = ({ database, host, others = [], password, port, role = "any", standbyFirst, username }: FromUrl) => ({
  hosts: [hostOf({ ...(host !== undefined && { host }), port }), ...others.map(hostOf)] as const,
  searches: standbyFirst === true ? ["standby", "any"] as const : [role] as const,
  server: { database, username, password }
})

const roleOf = ({ startupParameters }: Options, { options = "", role = "any" }: FromUrl) => {
  const given = `${options} ${Object.entries(startupParameters ?? {}).flat().join(" ")}`
  return { role, writes: role !== "read-only" && role !== "standby" && !waivesWrites(given) }
}

const poolTypeOf = (options: Options, { role = "any", standbyFirst = false }: FromUrl): string => {
  const reads = standbyFirst || role === "standby" || role === "read-only"
  return Setting.poolType(options.poolType, reads ? "replica" : "primary")
}

const logOf = ({ log: { connections = false, slow = {}, statements = false } = {} }: Options): Settings["log"] => {
  const switches = { connections, statements }
  if (slow === false) return { ...switches, warn: Infinity, error: Infinity }
  const warn = Validate.boundedMillis("log.slow.warn", slow.warn ?? "1 second")
  return {
    ...switches,
    warn,
    error: Validate.boundedMillis("log.slow.error", slow.error ?? Math.max(3000, 3 * warn))
  }
}

/** Throws a `RangeError` for what is out of range; the parts of the URL were checked before. */
export const resolve = (options: Options, url: FromUrl): Settings => {
  const { critical = true, policy = {}, profile } = options
  const { reads } = policy
  const name = Validate.text("name", options.name)
  if (reads !== undefined) Validate.oneOf("policy.reads", reads, ["idempotent"])
  const warnings = [...url.warnings]
  const sources: Sources = { options, url, preset: Profile.valuesOf(PRESETS, profile, { max: 10 }), warnings }
  const limits = limitsOf(sources)
  const pool = poolOf(sources)
  const bouncer = url.pgbouncer === true
  return {
    name,
    critical,
    profile,
    poolType: poolTypeOf(options, url),
    overrides: overridesOf(profile, sources.preset, pool),
    replicas: Validate.integer("replicas", options.replicas ?? 1, 1),
    ...placesOf(url),
    ssl: tlsOf(sources),
    ...roleOf(options, url),
    bouncer,
    prepare: Setting.choose(warnings, {
      option: ["prepare", options.prepare],
      url: ["pgbouncer", bouncer ? false : undefined]
    }) ?? true,
    applicationName: Setting.choose(warnings, {
      option: ["applicationName", options.applicationName],
      url: ["application_name", url.applicationName]
    }) ?? name,
    ...startupOf(options, bouncer, limits),
    startupOptions: url.options,
    types: options.transform?.types,
    transform: options.transform ?? {},
    log: logOf(options),
    ...pool,
    readsAreIdempotent: reads === "idempotent",
    ...limits,
    ...policiesOf(name, limits, policy),
    warnings
  }
}
