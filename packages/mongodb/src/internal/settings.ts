/**
 * The options, the environment, the URL and the profile, put together: each beats those after it, and what is given
 * twice and different is a warning that names both.
 *
 * @internal
 */
import type * as CircuitBreaker from "@breakwater/core/CircuitBreaker"
import * as Policy from "@breakwater/core/Policy"
import type { PolicyError, Reason } from "@breakwater/core/PolicyError"
import type { Start } from "@breakwater/core/Pool"
import type * as Profile from "@breakwater/core/Profile"
import type * as Retry from "@breakwater/core/Retry"
import * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import type { MongoClientOptions, ReadPreferenceMode } from "mongodb"
import * as MongoOutcome from "../MongoOutcome.ts"
import * as Compressors from "./compressors.ts"
import type { FromUrl, Parsed } from "./url.ts"

/**
 * The driver's pool, of which there is one for each server of a replica set.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolOptions {
  readonly size?: {
    /** `minPoolSize`: connections kept open. Default 5; development 2, production 10. */
    readonly min?: number | undefined
    /** `maxPoolSize`: never more than this many are open. Default 50; development 20, production 100. */
    readonly max?: number | undefined
  } | undefined
  /** When the first connections are opened. Default `background`. */
  readonly start?: Start | undefined
  readonly wait?: {
    /** `waitQueueTimeoutMS`: how long an operation waits for a connection. Default 10 seconds. */
    readonly timeout?: Duration.Input | undefined
    /** Calls beyond `size.max` that may be under way; the next is refused at once. Default 5 times `size.max`. */
    readonly maxWaiting?: number | undefined
  } | undefined
  readonly dial?: {
    /** `connectTimeoutMS`. Default 10 seconds. */
    readonly timeout?: Duration.Input | undefined
    /** `maxConnecting`: dials at once. Default 2. */
    readonly concurrency?: number | undefined
  } | undefined
  readonly lifetime?: {
    /** `maxIdleTimeMS`: an unused connection is closed after it; 0: never. Default 2 minutes. */
    readonly idle?: Duration.Input | undefined
  } | undefined
}

/**
 * What is done around each call.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyOptions {
  /** The whole call: waits, attempts, delays. Default 60 seconds, or twice a longer `timeout`. */
  readonly deadline?: Duration.Input | undefined
  /** One attempt, its wait for a connection included. Default 30 seconds where `deadline` is longer. */
  readonly timeout?: Duration.Input | undefined
  /** Repeats what failed before anything was sent, and calls marked idempotent. Default: nothing is repeated. */
  readonly retry?: Omit<Retry.Options, "classify"> | undefined
  /** Stops calling a server that fails. Default: none. */
  readonly breaker?: Omit<CircuitBreaker.Options, "classify"> | undefined
}

/**
 * What the driver does by itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface DriverOptions {
  /** How the server's log and statistics name the connections. Default: `appName` of the URL, else `name`. */
  readonly appName?: string | undefined
  /** `serverSelectionTimeoutMS`: how long an operation looks for a server that can do it. Default 5 seconds. */
  readonly serverSelectionTimeout?: Duration.Input | undefined
  /** `socketTimeoutMS`: a connection that says nothing for so long while it is waited for is closed. Default 30 seconds. */
  readonly socketTimeout?: Duration.Input | undefined
  readonly heartbeat?: {
    /** `heartbeatFrequencyMS`: how often each server is looked at. 500 ms or more; default 10 seconds. */
    readonly every?: Duration.Input | undefined
    /** `minHeartbeatFrequencyMS`: never more often than this. Default 500 ms. */
    readonly atMost?: Duration.Input | undefined
  } | undefined
  readonly compression?: {
    /** In the order of preference; what cannot be loaded here is left out, with a word. Default zstd, snappy, zlib. */
    readonly compressors?: ReadonlyArray<"zstd" | "snappy" | "zlib"> | undefined
    /** From -1 (zlib's default) to 9. Default 6. */
    readonly zlibLevel?: number | undefined
  } | undefined
  readonly read?: {
    /** Default `primary`. */
    readonly preference?: ReadPreferenceMode | undefined
    /** How far a secondary may lag behind, from 90 seconds. Default 120 seconds; taken out with `primary`. */
    readonly maxStaleness?: Duration.Input | undefined
  } | undefined
  /** The driver's own repetitions, outside of every policy and budget. Default: off, `policy.retry` repeats. */
  readonly retry?: { readonly reads?: boolean | undefined; readonly writes?: boolean | undefined } | undefined
  /** TLS with checked certificates. Default: on for `mongodb+srv://`, and as `tls` or `ssl` of the URL say. */
  readonly tls?: boolean | undefined
  /** File of the authorities that certificates are checked against. Default: those of the runtime. */
  readonly tlsCAFile?: string | undefined
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
  /** `mongodb://user:password@host:port/database` or `mongodb+srv://…`, percent-encoded, with the driver's parameters. */
  readonly url: Redacted.Redacted
  readonly pool?: PoolOptions | undefined
  readonly policy?: PolicyOptions | undefined
  readonly driver?: DriverOptions | undefined
  /** Whether the process is not ready without it. Default true. */
  readonly critical?: boolean | undefined
  /** Whose sizes are the defaults. Default: none, which is `staging`. `layerConfig` reads it from the environment. */
  readonly profile?: Profile.Profile | undefined
}

/** What `layerConfig` reads from variables. */
export interface FromEnvironment {
  readonly maxPoolSize?: number | undefined
  readonly minPoolSize?: number | undefined
}

/** What a policy may add to the errors of a call. */
export type Failures = Reason extends infer R extends Reason ? R extends { _tag: "BulkheadFull" } ? never
  : PolicyError<R>
  : never

/** Options with every default resolved; times in milliseconds. */
export interface Settings {
  readonly name: string
  readonly critical: boolean
  readonly uri: Redacted.Redacted
  readonly hosts: string
  readonly database: string | undefined
  readonly start: Start
  readonly min: number
  readonly max: number
  readonly maxWaiting: number
  readonly waitTimeout: number
  readonly deadline: Duration.Duration
  readonly timeout: Duration.Duration | undefined
  readonly policy: Policy.Policy<Failures>
  readonly redial: number
  readonly readPreference: ReadPreferenceMode
  readonly driver: MongoClientOptions
  /** Compressors of the default that cannot be loaded here. */
  readonly missing: ReadonlyArray<string>
  readonly warnings: ReadonlyArray<string>
}

const SIZES: Record<Profile.Profile, { readonly min: number; readonly max: number }> = {
  development: { min: 2, max: 20 },
  staging: { min: 5, max: 50 },
  production: { min: 10, max: 100 }
}

const WAIT_QUEUE_MULTIPLE = 5
const DEFAULT_TIMEOUT = Duration.seconds(30)
const DEFAULT_DEADLINE = Duration.seconds(60)
const COMPRESSORS: ReadonlyArray<string> = ["zstd", "snappy", "zlib"]
const PREFERENCES: ReadonlyArray<ReadPreferenceMode> = [
  "primary",
  "primaryPreferred",
  "secondary",
  "secondaryPreferred",
  "nearest"
]

const show = (value: unknown): string => Duration.isDuration(value) ? Duration.format(value) : JSON.stringify(value)

const refuse = (option: string, value: unknown, allowed: string): never => {
  throw new RangeError(`${option} is ${show(value)}; allowed is ${allowed}`)
}

const integer = (option: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): number =>
  Number.isSafeInteger(value) && value >= least && value <= most ? value : refuse(
    option,
    value,
    most === Number.MAX_SAFE_INTEGER ? `a whole number of ${least} or more` : `a whole number from ${least} to ${most}`
  )

const duration = (option: string, input: Duration.Input, least = 1): Duration.Duration => {
  const decoded = Duration.fromInput(input)
  if (decoded._tag === "Some" && Duration.isFinite(decoded.value) && Duration.toMillis(decoded.value) >= least) {
    return decoded.value
  }
  return refuse(option, input, `a finite duration of ${least} ms or more`)
}

const millis = (option: string, input: Duration.Input, least?: number): number =>
  Math.round(Duration.toMillis(duration(option, input, least)))

const oneOf = <A extends string>(option: string, value: string, allowed: ReadonlyArray<A>): A =>
  allowed.find((one) => one === value) ?? refuse(option, value, allowed.join(", "))

/** What one setting is called by those who may give it, and what they gave. The first that spoke counts. */
const choose = <A extends string | number | boolean>(
  warnings: Array<string>,
  given: ReadonlyArray<readonly [source: string, value: A | undefined]>
): A | undefined => {
  const [first, ...others] = given.filter(([, value]) => value !== undefined)
  for (const [source, value] of others) {
    if (value === first?.[1]) continue
    warnings.push(`${first?.[0]} (${show(first?.[1])}) and ${source} (${show(value)}) differ; the first counts`)
  }
  return first?.[1]
}

interface Sources {
  readonly options: Options
  readonly environment: FromEnvironment
  readonly url: Parsed
  readonly warnings: Array<string>
}

type TimeName = { [K in keyof FromUrl]-?: K extends `${string}MS` ? K : never }[keyof FromUrl]

const sizeOf = ({ environment, options, url, warnings }: Sources) => {
  const { profile = "staging" } = options
  const preset = SIZES[oneOf("profile", profile, ["development", "staging", "production"])]
  const { max: givenMax, min: givenMin } = options.pool?.size ?? {}
  const max = choose(warnings, [
    ["pool.size.max", givenMax === undefined ? undefined : integer("pool.size.max", givenMax, 1)],
    ["MONGODB_MAX_POOL_SIZE", environment.maxPoolSize],
    ["the URL's maxPoolSize", url.settings.maxPoolSize]
  ]) ?? preset.max
  const min = choose(warnings, [
    ["pool.size.min", givenMin === undefined ? undefined : integer("pool.size.min", givenMin, 0)],
    ["MONGODB_MIN_POOL_SIZE", environment.minPoolSize],
    ["the URL's minPoolSize", url.settings.minPoolSize]
  ]) ?? Math.min(preset.min, max)
  if (min > max) refuse("pool.size.min", min, `at most pool.size.max, which is ${max}`)
  const multiple = url.settings.waitQueueMultiple ?? WAIT_QUEUE_MULTIPLE
  const maxWaiting = options.pool?.wait?.maxWaiting
  return {
    min,
    max,
    maxWaiting: maxWaiting === undefined ? multiple * max : integer("pool.wait.maxWaiting", maxWaiting, 0)
  }
}

const timesOf = ({ options: { driver = {}, pool = {} }, url, warnings }: Sources) => {
  const time = (option: string, given: Duration.Input | undefined, name: TimeName, none: number, least?: number) =>
    choose(warnings, [
      [option, given === undefined ? undefined : millis(option, given, least)],
      [`the URL's ${name}`, url.settings[name]]
    ]) ?? none
  const every = time("driver.heartbeat.every", driver.heartbeat?.every, "heartbeatFrequencyMS", 10_000, 500)
  const atMost = driver.heartbeat?.atMost
  return {
    waitQueueTimeoutMS: time("pool.wait.timeout", pool.wait?.timeout, "waitQueueTimeoutMS", 10_000),
    connectTimeoutMS: time("pool.dial.timeout", pool.dial?.timeout, "connectTimeoutMS", 10_000),
    maxIdleTimeMS: time("pool.lifetime.idle", pool.lifetime?.idle, "maxIdleTimeMS", 120_000, 0),
    socketTimeoutMS: time("driver.socketTimeout", driver.socketTimeout, "socketTimeoutMS", 30_000),
    serverSelectionTimeoutMS: time(
      "driver.serverSelectionTimeout",
      driver.serverSelectionTimeout,
      "serverSelectionTimeoutMS",
      5000
    ),
    heartbeatFrequencyMS: every,
    minHeartbeatFrequencyMS: atMost === undefined ? Math.min(500, every) : millis("driver.heartbeat.atMost", atMost)
  }
}

const compressionOf = ({ options: { driver }, url, warnings }: Sources) => {
  const { compressors: given, zlibLevel } = driver?.compression ?? {}
  const asked: ReadonlyArray<string> | undefined = given ?? url.settings.compressors
  const names = asked ?? COMPRESSORS
  const known = names.filter((name) => COMPRESSORS.includes(name))
  const compressors = known.filter(Compressors.canLoad)
  const missing = names.filter((name) => name !== "none" && !compressors.some((one) => one === name))
  if (asked !== undefined && missing.length > 0) {
    warnings.push(`compressors ${missing.join(", ")} cannot be loaded here and are left out`)
  }
  const level = choose(warnings, [
    ["driver.compression.zlibLevel", zlibLevel === undefined ? undefined : integer("zlibLevel", zlibLevel, -1, 9)],
    ["the URL's zlibCompressionLevel", url.settings.zlibCompressionLevel]
  ])
  return {
    missing: asked === undefined ? missing : [],
    // The driver has types for the levels, and reads any number.
    zlibCompressionLevel: (level ?? 6) as NonNullable<MongoClientOptions["zlibCompressionLevel"]>,
    compressors: compressors.filter((name) => name === "zstd" || name === "snappy" || name === "zlib")
  }
}

const readOf = ({ options: { driver }, url, warnings }: Sources) => {
  const { maxStaleness, preference } = driver?.read ?? {}
  const chosen = choose(warnings, [["driver.read.preference", preference], [
    "the URL's readPreference",
    url.settings.readPreference
  ]])
  const readPreference = oneOf("driver.read.preference", chosen ?? "primary", PREFERENCES)
  const seconds = choose(warnings, [
    [
      "driver.read.maxStaleness",
      maxStaleness === undefined ? undefined : millis("driver.read.maxStaleness", maxStaleness, 90_000) / 1000
    ],
    ["the URL's maxStalenessSeconds", url.settings.maxStalenessSeconds]
  ])
  if (readPreference !== "primary") return { readPreference, maxStalenessSeconds: Math.ceil(seconds ?? 120) }
  if (seconds !== undefined) {
    warnings.push("maxStalenessSeconds has no meaning with the read preference primary, and is taken out")
  }
  return { readPreference }
}

const tlsOf = ({ options: { driver = {} }, url, warnings }: Sources) => {
  const tls = choose(warnings, [["driver.tls", driver.tls], ["the URL's tls", url.settings.tls]]) ?? url.srv
  if (driver.tlsCAFile === undefined) return { tls }
  if (!tls) refuse("driver.tlsCAFile", driver.tlsCAFile, "a file where TLS is on")
  return { tls, tlsCAFile: driver.tlsCAFile }
}

const retriesOf = ({ options: { driver }, url, warnings }: Sources) => {
  const { reads, writes } = driver?.retry ?? {}
  const retryReads = choose(warnings, [["driver.retry.reads", reads], [
    "the URL's retryReads",
    url.settings.retryReads
  ]])
  const retryWrites = choose(warnings, [["driver.retry.writes", writes], [
    "the URL's retryWrites",
    url.settings.retryWrites
  ]])
  if (retryReads === true || retryWrites === true) {
    warnings.push("the driver repeats by itself, beside policy.retry and outside of its limits")
  }
  return { retryReads: retryReads ?? false, retryWrites: retryWrites ?? false }
}

const limitsOf = ({ deadline, timeout }: PolicyOptions) => {
  const given = deadline === undefined ? undefined : duration("policy.deadline", deadline)
  if (timeout === undefined) {
    const whole = given ?? DEFAULT_DEADLINE
    return { deadline: whole, timeout: Duration.isLessThan(DEFAULT_TIMEOUT, whole) ? DEFAULT_TIMEOUT : undefined }
  }
  const one = duration("policy.timeout", timeout)
  const whole = given ?? Duration.max(DEFAULT_DEADLINE, Duration.times(one, 2))
  if (Duration.isGreaterThanOrEqualTo(one, whole)) {
    refuse("policy.timeout", one, `less than policy.deadline, which is ${Duration.format(whole)}`)
  }
  return { deadline: whole, timeout: one }
}

const driverOf = (sources: Sources, size: { readonly min: number; readonly max: number }) => {
  const { options: { driver = {}, name, pool = {} }, url, warnings } = sources
  const { missing, ...compression } = compressionOf(sources)
  const read = readOf(sources)
  const concurrency = pool.dial?.concurrency
  const settings: MongoClientOptions = {
    ...timesOf(sources),
    ...compression,
    ...read,
    ...tlsOf(sources),
    ...retriesOf(sources),
    minPoolSize: size.min,
    maxPoolSize: size.max,
    maxConnecting: choose(warnings, [
      [
        "pool.dial.concurrency",
        concurrency === undefined ? undefined : integer("pool.dial.concurrency", concurrency, 1)
      ],
      ["the URL's maxConnecting", url.settings.maxConnecting]
    ]) ?? 2,
    appName: choose(warnings, [["driver.appName", driver.appName], ["the URL's appName", url.settings.appName]]) ?? name
  }
  return { missing, readPreference: read.readPreference, settings }
}

/** Throws a `RangeError` for what is out of range; the parts of the URL were checked before. */
export const resolve = (options: Options, url: Parsed, environment: FromEnvironment = {}): Settings => {
  const { critical = true, name, policy = {} } = options
  if (typeof name !== "string" || name === "") refuse("name", name, "a text that is not empty")
  const start = oneOf("pool.start", options.pool?.start ?? "background", ["lazy", "background", "fail-fast"])
  const warnings = [...url.warnings]
  const sources: Sources = { options, environment, url, warnings }
  const size = sizeOf(sources)
  const { missing, readPreference, settings: driver } = driverOf(sources, size)
  const limits = limitsOf(policy)
  const { breaker, retry } = policy
  return {
    name,
    critical,
    uri: url.uri,
    hosts: url.hosts,
    database: url.database,
    start,
    ...size,
    waitTimeout: driver.waitQueueTimeoutMS ?? 0,
    ...limits,
    policy: Policy.make({ name, ...limits, retry, breaker, classify: MongoOutcome.fromExit }),
    redial: driver.minHeartbeatFrequencyMS ?? 0,
    readPreference,
    driver,
    missing,
    warnings
  }
}
