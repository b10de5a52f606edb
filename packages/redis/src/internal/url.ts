/**
 * A connection URL taken apart: where the server is, who asks, and the settings that ride along.
 *
 * Nothing here shows the URL or its password: errors name the part and, for settings, the value.
 *
 * @internal
 */
import * as ConfigError from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

export interface FromUrl {
  host?: string
  port?: number
  database?: number
  username?: string
  password?: Redacted.Redacted
  tls?: boolean
  maxConnections?: number
  /** Times in milliseconds. */
  connectTimeout?: number
  socketTimeout?: number
  readonly warnings: Array<string>
}

export const configError = (message: string): ConfigError.ConfigError =>
  new ConfigError.ConfigError(new ConfigProvider.SourceError({ message }))

/** Thrown inside, caught by `parse`: most parts can be wrong. */
class Refused extends Error {}

const refuse = (part: string, allowed: string, value?: string): never => {
  throw new Refused(
    `Redis URL: ${part}${value === undefined ? " is not valid" : ` is ${JSON.stringify(value)}`}; allowed is ${allowed}`
  )
}

const decode = (part: string, value: string): string => {
  try {
    return decodeURIComponent(value)
  } catch {
    return refuse(part, "percent-encoded UTF-8")
  }
}

const whole = (part: string, value: string, least: number, most: number): number => {
  const number = Number(value)
  return value.trim() !== "" && Number.isInteger(number) && number >= least && number <= most
    ? number
    : refuse(part, `a whole number from ${least} to ${most}`, value)
}

const seconds = (name: string, value: string): number => {
  const number = value.trim() === "" ? NaN : Number(value)
  return Number.isFinite(number) && number > 0
    ? number * 1000
    : refuse(`parameter "${name}"`, "a number of seconds above 0, since nothing waits without a bound", value)
}

const flag = (name: string, value: string): boolean =>
  value === "true" || (value !== "false" && refuse(`parameter "${name}"`, "true, false", value))

const databaseOf = (value: string): number => whole("database", value, 0, 1_000_000)

const setTls = (into: FromUrl, name: string, value: string): void => {
  const wanted = flag(name, value)
  if (into.tls === true && !wanted) refuse(`parameter "${name}"`, "true with rediss, which means TLS", value)
  into.tls = into.tls === true || wanted
}

const parameters: Record<string, (into: FromUrl, value: string) => void> = {
  ssl: (into, value) => setTls(into, "ssl", value),
  tls: (into, value) => setTls(into, "tls", value),
  db: (into, value) => {
    into.database = databaseOf(value)
  },
  max_connections: (into, value) => {
    into.maxConnections = whole("parameter \"max_connections\"", value, 2, Number.MAX_SAFE_INTEGER)
  },
  connect_timeout: (into, value) => {
    into.connectTimeout = seconds("connect_timeout", value)
  },
  socket_timeout: (into, value) => {
    into.socketTimeout = seconds("socket_timeout", value)
  }
}

/** What other clients understand. */
const FOREIGN = new Set([
  "decode_responses",
  "family",
  "health_check_interval",
  "protocol",
  "retry_on_timeout",
  "socket_connect_timeout",
  "socket_keepalive",
  "ssl_ca_certs",
  "ssl_cert_reqs",
  "ssl_certfile",
  "ssl_check_hostname",
  "ssl_keyfile"
])

const readParameters = (into: FromUrl, search: URLSearchParams): void => {
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name)
    const read = Object.hasOwn(parameters, name) ? parameters[name] : undefined
    if (read === undefined) {
      // A name that nobody knows may be the rest of a password with a question mark in it.
      const shown = FOREIGN.has(name) ? `the URL's parameter "${name}"` : "a parameter of the URL that is not known"
      into.warnings.push(`${shown} has no effect`)
      continue
    }
    if (new Set(values).size > 1) {
      into.warnings.push(`the URL gives "${name}" ${values.length} times; the last one counts`)
    }
    for (const value of values) read(into, value)
  }
}

const FORM = "redis://user:password@host:port/database?parameters with everything else percent-encoded"

/** A password that is not encoded ends the user's part early, and its rest would show as a name of something else. */
const refuseStrayed = (url: URL): void => {
  if (/[@/]/.test(url.pathname.slice(1)) || url.search.includes("@") || url.hash !== "") refuse("its text", FORM)
}

const read = (text: string): FromUrl => {
  if (!URL.canParse(text)) refuse("its text", FORM)
  const url = new URL(text)
  if (url.protocol !== "redis:" && url.protocol !== "rediss:") refuse("its protocol", "redis, rediss")
  refuseStrayed(url)
  const into: FromUrl = { warnings: [] }
  if (url.protocol === "rediss:") into.tls = true
  const host = decode("host", url.hostname).replace(/^\[(.*)\]$/, "$1")
  if (host !== "") into.host = host
  if (url.port !== "") into.port = whole("port", url.port, 1, 65_535)
  if (url.username !== "") into.username = decode("user", url.username)
  if (url.password !== "") into.password = Redacted.make(decode("password", url.password))
  const database = url.pathname.replace(/^\//, "")
  // Not shown: it may be what comes after a slash in a password.
  if (database !== "") into.database = /^\d+$/.test(database) ? databaseOf(database) : refuse("database", "a number")
  readParameters(into, url.searchParams)
  return into
}

export const parse = (url: Redacted.Redacted): Result.Result<FromUrl, ConfigError.ConfigError> => {
  try {
    return Result.succeed(read(Redacted.value(url)))
  } catch (error) {
    // The constructor of URL puts the whole text into its error, so no other message may pass.
    return Result.fail(configError(error instanceof Refused ? error.message : "Redis URL: it is not valid"))
  }
}
