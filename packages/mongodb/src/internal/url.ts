/**
 * A connection URL taken apart: what is a setting of ours is read and taken out, the rest goes to the driver.
 *
 * Nothing here shows the URL or its password: errors name the part and, for settings, the value.
 *
 * @internal
 */
import * as ConnectionUrl from "@breakwater/core/ConnectionUrl"
import type * as Config from "effect/Config"
import * as Redacted from "effect/Redacted"
import type * as Result from "effect/Result"

/** Times in milliseconds. */
export interface FromUrl {
  maxPoolSize?: number
  minPoolSize?: number
  maxConnecting?: number
  maxIdleTimeMS?: number
  waitQueueTimeoutMS?: number
  waitQueueMultiple?: number
  serverSelectionTimeoutMS?: number
  connectTimeoutMS?: number
  socketTimeoutMS?: number
  heartbeatFrequencyMS?: number
  zlibCompressionLevel?: number
  maxStalenessSeconds?: number
  appName?: string
  compressors?: ReadonlyArray<string>
  readPreference?: string
  retryWrites?: boolean
  retryReads?: boolean
  tls?: boolean
}

export interface Parsed {
  /** For the driver: without what is in `settings`. */
  readonly uri: Redacted.Redacted
  readonly srv: boolean
  readonly hosts: string
  readonly database: string | undefined
  readonly settings: FromUrl
  readonly warnings: ReadonlyArray<string>
}

/** For options that are wrong whatever the URL says. */
export const none: Parsed = {
  uri: Redacted.make(""),
  srv: false,
  hosts: "",
  database: undefined,
  settings: {},
  warnings: []
}

const reader: ConnectionUrl.Reader = new ConnectionUrl.Reader("MongoDB")

const whole = (least: number, most?: number) => (name: string, value: string): number =>
  reader.whole(`parameter "${name}"`, value, least, most)

const flag = (name: string, value: string): boolean => reader.flag(name, value)

const count = whole(0)
const positive = whole(1)

/** What nobody may wait for without a bound is 1 or more. */
const readers: { readonly [K in keyof FromUrl]-?: (name: string, value: string) => NonNullable<FromUrl[K]> } = {
  maxPoolSize: positive,
  minPoolSize: count,
  maxConnecting: positive,
  maxIdleTimeMS: count,
  waitQueueTimeoutMS: positive,
  waitQueueMultiple: positive,
  serverSelectionTimeoutMS: positive,
  connectTimeoutMS: positive,
  socketTimeoutMS: positive,
  heartbeatFrequencyMS: whole(500),
  zlibCompressionLevel: whole(-1, 9),
  maxStalenessSeconds: whole(90),
  appName: (_, value) => value,
  compressors: (_, value) => value.split(","),
  readPreference: (_, value) => value,
  retryWrites: flag,
  retryReads: flag,
  tls: flag
}

const isSetting = (name: string): name is keyof FromUrl => Object.hasOwn(readers, name)

/** Names are read without regard to case, as the driver does. `ssl` is the old name of `tls`. */
const settingNames = new Map(Object.keys(readers).map((name) => [name.toLowerCase(), name])).set("ssl", "tls")

/** What the driver knows and we have nothing to say about. */
const DRIVERS = new Map(
  [
    "authMechanism",
    "authMechanismProperties",
    "authSource",
    "directConnection",
    "journal",
    "loadBalanced",
    "localThresholdMS",
    "proxyHost",
    "proxyPassword",
    "proxyPort",
    "proxyUsername",
    "readConcernLevel",
    "readPreferenceTags",
    "replicaSet",
    "serverMonitoringMode",
    "srvMaxHosts",
    "srvServiceName",
    "tlsAllowInvalidCertificates",
    "tlsAllowInvalidHostnames",
    "tlsCAFile",
    "tlsCertificateKeyFile",
    "tlsCertificateKeyFilePassword",
    "tlsCRLFile",
    "tlsInsecure",
    "w",
    "wtimeoutMS"
  ].map((name) => [name.toLowerCase(), name])
)

const UNSAFE = new Set(["tlsInsecure", "tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames"])

interface Reading {
  readonly settings: FromUrl
  readonly kept: Array<string>
  readonly warnings: Array<string>
}

const readParameter = (into: Reading, given: string, values: ReadonlyArray<string>): void => {
  const lower = given.toLowerCase()
  const name = settingNames.get(lower)
  const drivers = DRIVERS.get(lower)
  const last = values.at(-1) ?? ""
  // These may be there more than once: each is one more choice.
  if (drivers === "readPreferenceTags") {
    for (const value of values) into.kept.push(`${drivers}=${encodeURIComponent(value)}`)
    return
  }
  if (new Set(values).size > 1) {
    into.warnings.push(
      `the URL gives "${name ?? drivers ?? "a parameter"}" ${values.length} times; the last one counts`
    )
  }
  if (name !== undefined && isSetting(name)) {
    const read = readers[name](name, last)
    // `ssl` and `tls` say the same: where one asks for TLS, the other must not give it up.
    if (name === "tls" && (new Set(values).size > 1 || (into.settings.tls ?? read) !== read)) {
      reader.refuse(`parameter "${lower}"`, "what the URL says of TLS elsewhere", last)
    }
    Object.assign(into.settings, { [name]: read })
    if (name === "waitQueueMultiple") {
      into.warnings.push("waitQueueMultiple of the URL is done by this package: the driver does not know it")
    }
  } else if (drivers !== undefined) {
    into.kept.push(`${drivers}=${encodeURIComponent(last)}`)
    if (UNSAFE.has(drivers) && last === "true") {
      into.warnings.push(`${drivers} of the URL lets anybody pose as the server`)
    }
  } else if (lower === "timeoutms") {
    into.warnings.push("timeoutMS of the URL is taken out: the driver does not keep to it; policy.deadline is for that")
  } else {
    // A name that nobody knows may be the rest of a password with a question mark in it.
    into.warnings.push("a parameter of the URL that is not known is taken out")
  }
}

const FORM = "mongodb://user:password@host:port/database?parameters with everything else percent-encoded"

const read = (text: string): Parsed => {
  const [, scheme = "", rest = ""] = /^(mongodb(?:\+srv)?:\/\/)(.+)$/s.exec(text) ?? []
  if (scheme === "") reader.refuse("its protocol", "mongodb, mongodb+srv")
  const question = rest.indexOf("?")
  const before = question < 0 ? rest : rest.slice(0, question)
  const query = question < 0 ? "" : rest.slice(question + 1)
  const at = before.lastIndexOf("@")
  const user = before.slice(0, Math.max(at, 0))
  // A password that is not encoded ends the user's part early, and its rest would show as a name of something else.
  if (/[@/#[\]]/.test(user) || query.includes("@") || text.includes("#")) reader.refuse("its text", FORM)
  const address = before.slice(at + 1)
  const slash = address.indexOf("/")
  const hosts = slash < 0 ? address : address.slice(0, slash)
  if (hosts === "") reader.refuse("its host", FORM)
  const database = slash < 0 ? "" : reader.decode("database", address.slice(slash + 1))
  if (/[/\\ "$]/.test(database)) reader.refuse("its database", "a name without / \\ \" $ and blanks")
  reader.decode("user or password", user)
  const reading: Reading = { settings: {}, kept: [], warnings: [] }
  const search = new URLSearchParams(query)
  for (const name of new Set(search.keys())) readParameter(reading, name, search.getAll(name))
  return {
    uri: Redacted.make(`${scheme}${before}${slash < 0 ? "/" : ""}?${reading.kept.join("&")}`),
    srv: scheme === "mongodb+srv://",
    hosts,
    database: database === "" ? undefined : database,
    settings: reading.settings,
    warnings: reading.warnings
  }
}

export const parse = (url: Redacted.Redacted): Result.Result<Parsed, Config.ConfigError> => reader.read(url, read)
