/**
 * The options, the environment, the URL and the profile, put together: each beats those after it, and what is given
 * twice and different is a warning that names both.
 *
 * @internal
 */
import * as CallPolicy from "@breakwater/core/CallPolicy"
import * as Policy from "@breakwater/core/Policy"
import type { PolicyError } from "@breakwater/core/PolicyError"
import type { Start } from "@breakwater/core/Pool"
import * as Profile from "@breakwater/core/Profile"
import type * as RetryBudget from "@breakwater/core/RetryBudget"
import * as Setting from "@breakwater/core/Setting"
import * as Validate from "@breakwater/core/Validate"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
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
    /** `minPoolSize`: connections kept open. Default 5; development 2, production 10, serverless 0. */
    readonly min?: number | undefined
    /** `maxPoolSize`: never more than this many are open. Default 50; development 20, production 100, serverless 2. */
    readonly max?: number | undefined
  } | undefined
  /** When the first connections are opened. Default `background`, with the profile serverless `lazy`. */
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
    /** `maxIdleTimeMS`: an unused connection is closed after it; 0: never. Default 2 minutes, serverless 10 seconds. */
    readonly idle?: Duration.Input | undefined
  } | undefined
}

/**
 * What is done around each call.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyOptions extends CallPolicy.Options {
  /** The whole call: waits, attempts, delays. Default 60 seconds, or twice a longer `timeout`. */
  readonly deadline?: Duration.Input | undefined
  /** One attempt, its wait for a connection included. Default 30 seconds where `deadline` is longer. */
  readonly timeout?: Duration.Input | undefined
  /**
   * Repeats what failed before anything was sent, and calls marked idempotent. The driver clears its pool by itself before.
   * Default: as `Policy.standard`, unless there is a hedge. `false`: not.
   */
  readonly retry?: CallPolicy.Options["retry"]
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
export interface Options extends Setting.Common {
  /** `mongodb://user:password@host:port/database` or `mongodb+srv://…`, percent-encoded, with the driver's parameters. */
  readonly url: Redacted.Redacted
  readonly pool?: PoolOptions | undefined
  readonly policy?: PolicyOptions | undefined
  readonly driver?: DriverOptions | undefined
  /** Whose sizes and times are the defaults. Default: none, as `staging`. `layerConfig` reads it from the environment. */
  readonly profile?: Profile.Profile | undefined
}

/** What `layerConfig` reads from variables. */
export interface FromEnvironment {
  readonly maxPoolSize?: number | undefined
  readonly minPoolSize?: number | undefined
}

/** Options with every default resolved; times in milliseconds. */
export interface Settings extends Setting.Resolved {
  readonly uri: Redacted.Redacted
  readonly hosts: string
  readonly database: string | undefined
  readonly start: Start
  readonly min: number
  readonly max: number
  readonly maxWaiting: number
  readonly waitTimeout: number
  /** To begin with: those in force are the policy's. */
  readonly deadline: Duration.Duration
  readonly timeout: Duration.Duration | undefined
  /** Makes that of one backend. It has been checked: nothing is thrown. */
  readonly policy: () => Policy.Policy<PolicyError>
  /** For retries, and for what is tried again at start. */
  readonly budget: RetryBudget.RetryBudget
  readonly redial: number
  readonly readPreference: ReadPreferenceMode
  readonly driver: MongoClientOptions
  /** Compressors of the default that cannot be loaded here. */
  readonly missing: ReadonlyArray<string>
}

interface Preset {
  readonly min: number
  readonly max: number
  readonly start?: Start
  readonly idle?: Duration.Duration
}

const PRESETS: Record<Profile.Profile, Preset> = {
  development: { min: 2, max: 20 },
  staging: { min: 5, max: 50 },
  production: { min: 10, max: 100 },
  serverless: Profile.serverless
}

const WAIT_QUEUE_MULTIPLE = 5
const COMPRESSORS: ReadonlyArray<string> = ["zstd", "snappy", "zlib"]
const PREFERENCES: ReadonlyArray<ReadPreferenceMode> = [
  "primary",
  "primaryPreferred",
  "secondary",
  "secondaryPreferred",
  "nearest"
]

/** The driver clears its pool by itself; what breaks with a connection is told within moments of it. */
const RECOVERY = { when: MongoOutcome.isBroken, clear: Effect.sleep("20 millis") }

/** Whole milliseconds, as the driver wants them. */
const millis = (option: string, input: Duration.Input, least = 1): number => {
  const time = Math.round(Validate.finiteMillis(option, input))
  return time >= least ? time : Validate.refuse(option, input, `a finite duration of ${least} ms or more`)
}

interface Sources {
  readonly options: Options
  readonly preset: Preset
  readonly environment: FromEnvironment
  readonly url: Parsed
  readonly warnings: Array<string>
}

type TimeName = { [K in keyof FromUrl]-?: K extends `${string}MS` ? K : never }[keyof FromUrl]

const sizeOf = ({ environment, options: { pool = {} }, preset, url, warnings }: Sources) => {
  const { max: givenMax, min: givenMin } = pool.size ?? {}
  const max = Setting.choose(warnings, {
    option: ["pool.size.max", givenMax === undefined ? undefined : Validate.integer("pool.size.max", givenMax, 1)],
    variable: ["MONGODB_MAX_POOL_SIZE", environment.maxPoolSize],
    url: ["maxPoolSize", url.settings.maxPoolSize]
  }) ?? preset.max
  const min = Setting.choose(warnings, {
    option: ["pool.size.min", givenMin],
    variable: ["MONGODB_MIN_POOL_SIZE", environment.minPoolSize],
    url: ["minPoolSize", url.settings.minPoolSize]
  }) ?? Math.min(preset.min, max)
  const multiple = url.settings.waitQueueMultiple ?? WAIT_QUEUE_MULTIPLE
  return {
    min: Validate.integer("pool.size.min", min, 0, max),
    max,
    maxWaiting: Validate.integer("pool.wait.maxWaiting", pool.wait?.maxWaiting ?? multiple * max, 0)
  }
}

const timesOf = ({ options: { driver = {}, pool = {} }, preset, url, warnings }: Sources) => {
  const time = (option: string, given: Duration.Input | undefined, name: TimeName, none: Duration.Input, least = 1) =>
    Setting.choose(warnings, {
      option: [option, given === undefined ? undefined : millis(option, given, least)],
      url: [name, url.settings[name]]
    }) ?? millis(option, none, least)
  const { atMost, every } = driver.heartbeat ?? {}
  const heartbeat = time("driver.heartbeat.every", every, "heartbeatFrequencyMS", 10_000, 500)
  const { serverSelectionTimeout, socketTimeout } = driver
  return {
    waitQueueTimeoutMS: time("pool.wait.timeout", pool.wait?.timeout, "waitQueueTimeoutMS", 10_000),
    connectTimeoutMS: time("pool.dial.timeout", pool.dial?.timeout, "connectTimeoutMS", 10_000),
    maxIdleTimeMS: time("pool.lifetime.idle", pool.lifetime?.idle, "maxIdleTimeMS", preset.idle ?? 120_000, 0),
    socketTimeoutMS: time("driver.socketTimeout", socketTimeout, "socketTimeoutMS", 30_000),
    serverSelectionTimeoutMS: time(
      "driver.serverSelectionTimeout",
      serverSelectionTimeout,
      "serverSelectionTimeoutMS",
      5000
    ),
    heartbeatFrequencyMS: heartbeat,
    minHeartbeatFrequencyMS: millis("driver.heartbeat.atMost", atMost ?? Math.min(500, heartbeat))
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
  const level = Setting.choose(warnings, {
    option: ["driver.compression.zlibLevel", zlibLevel],
    url: ["zlibCompressionLevel", url.settings.zlibCompressionLevel]
  })
  return {
    missing: asked === undefined ? missing : [],
    // The driver has types for the levels, and reads any number.
    zlibCompressionLevel: Validate.integer("driver.compression.zlibLevel", level ?? 6, -1, 9) as NonNullable<
      MongoClientOptions["zlibCompressionLevel"]
    >,
    compressors: compressors.filter((name) => name === "zstd" || name === "snappy" || name === "zlib")
  }
}

const readOf = ({ options: { driver }, url, warnings }: Sources) => {
  const { maxStaleness, preference } = driver?.read ?? {}
  const chosen = Setting.choose(warnings, {
    option: ["driver.read.preference", preference],
    url: ["readPreference", url.settings.readPreference]
  })
  const readPreference = Validate.oneOf("driver.read.preference", chosen ?? "primary", PREFERENCES)
  const staleness = "driver.read.maxStaleness"
  const seconds = Setting.choose(warnings, {
    option: [staleness, maxStaleness === undefined ? undefined : millis(staleness, maxStaleness, 90_000) / 1000],
    url: ["maxStalenessSeconds", url.settings.maxStalenessSeconds]
  })
  if (readPreference !== "primary") return { readPreference, maxStalenessSeconds: Math.ceil(seconds ?? 120) }
  if (seconds !== undefined) {
    warnings.push("maxStalenessSeconds has no meaning with the read preference primary, and is taken out")
  }
  return { readPreference }
}

const tlsOf = ({ options: { driver = {} }, url, warnings }: Sources) => {
  const { tlsCAFile } = driver
  const tls = Setting.choose(warnings, {
    option: ["driver.tls", driver.tls],
    url: ["tls", url.settings.tls]
  }) ?? url.srv
  if (tlsCAFile === undefined) return { tls }
  return tls ? { tls, tlsCAFile } : Validate.refuse("driver.tlsCAFile", tlsCAFile, "a file where TLS is on")
}

const retriesOf = ({ options: { driver }, url, warnings }: Sources) => {
  const { reads, writes } = driver?.retry ?? {}
  const retryReads = Setting.choose(warnings, {
    option: ["driver.retry.reads", reads],
    url: ["retryReads", url.settings.retryReads]
  })
  const retryWrites = Setting.choose(warnings, {
    option: ["driver.retry.writes", writes],
    url: ["retryWrites", url.settings.retryWrites]
  })
  if (retryReads === true || retryWrites === true) {
    warnings.push("the driver repeats by itself, beside policy.retry and outside of its limits")
  }
  return { retryReads: retryReads ?? false, retryWrites: retryWrites ?? false }
}

const driverOf = (sources: Sources, size: { readonly min: number; readonly max: number }) => {
  const { options: { driver = {}, name, pool = {} }, url, warnings } = sources
  const { missing, ...compression } = compressionOf(sources)
  const read = readOf(sources)
  const maxConnecting = Setting.choose(warnings, {
    option: ["pool.dial.concurrency", pool.dial?.concurrency],
    url: ["maxConnecting", url.settings.maxConnecting]
  })
  const settings: MongoClientOptions = {
    ...timesOf(sources),
    ...compression,
    ...read,
    ...tlsOf(sources),
    ...retriesOf(sources),
    minPoolSize: size.min,
    maxPoolSize: size.max,
    maxConnecting: Validate.integer("pool.dial.concurrency", maxConnecting ?? 2, 1),
    appName: Setting.choose(warnings, {
      option: ["driver.appName", driver.appName],
      url: ["appName", url.settings.appName]
    }) ?? name
  }
  return { missing, readPreference: read.readPreference, settings }
}

/** Throws a `RangeError` for what is out of range; the parts of the URL were checked before. */
export const resolve = (options: Options, url: Parsed, environment: FromEnvironment = {}): Settings => {
  const { critical = true, policy = {}, profile } = options
  const name = Validate.text("name", options.name)
  const preset = Profile.valuesOf(PRESETS, profile, PRESETS.staging)
  const start = options.pool?.start ?? preset.start ?? "background"
  const warnings = [...url.warnings]
  const sources: Sources = { options, preset, environment, url, warnings }
  const size = sizeOf(sources)
  const { missing, readPreference, settings: driver } = driverOf(sources, size)
  const { budget, parts } = CallPolicy.onOneBudget(CallPolicy.partsOf(policy, []))
  const limits = Setting.limits(policy, { deadline: "60 seconds", timeout: "30 seconds", attempts: 2 })
  const makePolicy = () =>
    Validate.within(
      "policy",
      () => Policy.make({ name, ...limits, ...parts, recover: RECOVERY, classify: MongoOutcome.fromExit })
    )
  makePolicy()
  return {
    name,
    critical,
    profile,
    poolType: Setting.poolType(options.poolType, readPreference.startsWith("secondary") ? "replica" : "primary"),
    overrides: Setting.overrides(profile, {
      "pool.size.min": [size.min, preset.min],
      "pool.size.max": [size.max, preset.max],
      "pool.start": [start, preset.start],
      "pool.lifetime.idle": [driver.maxIdleTimeMS, preset.idle && Duration.toMillis(preset.idle)]
    }),
    uri: url.uri,
    hosts: url.hosts,
    database: url.database,
    start: Validate.oneOf("pool.start", start, ["lazy", "background", "fail-fast"]),
    ...size,
    waitTimeout: driver.waitQueueTimeoutMS ?? 0,
    ...limits,
    budget,
    policy: makePolicy,
    redial: driver.minHeartbeatFrequencyMS ?? 0,
    readPreference,
    driver,
    missing,
    warnings
  }
}
