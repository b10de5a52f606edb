/**
 * A connection URL taken apart: where the server is, who asks, and the settings of the pool that ride along.
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
  database?: string
  username?: string
  password?: Redacted.Redacted
  applicationName?: string
  options?: string
  ssl?: boolean | "prefer"
  connectionLimit?: number
  /** Times in milliseconds. */
  poolTimeout?: number
  connectTimeout?: number
  /** 0: the attempt has no bound of its own. */
  socketTimeout?: number
  pgbouncer?: boolean
  readonly warnings: Array<string>
}

export const configError = (message: string): ConfigError.ConfigError =>
  new ConfigError.ConfigError(new ConfigProvider.SourceError({ message }))

/** Thrown inside, caught by `parse`: most parts can be wrong. */
class Refused extends Error {}

const refuse = (part: string, allowed: string, value?: string): never => {
  throw new Refused(
    `Postgres URL: ${part}${
      value === undefined ? " is not valid" : ` is ${JSON.stringify(value)}`
    }; allowed is ${allowed}`
  )
}

const decode = (part: string, value: string): string => {
  try {
    return decodeURIComponent(value)
  } catch {
    return refuse(part, "percent-encoded UTF-8")
  }
}

const portOf = (value: string): number => {
  const port = Number(value)
  return Number.isInteger(port) && port >= 1 && port <= 65_535
    ? port
    : refuse("port", "a whole number from 1 to 65535", value)
}

const seconds = (name: string, value: string, zero: boolean): number => {
  const number = value.trim() === "" ? NaN : Number(value)
  return Number.isFinite(number) && (zero ? number >= 0 : number > 0)
    ? number * 1000
    : refuse(
      `parameter "${name}"`,
      `a number of seconds ${zero ? ">= 0" : "above 0, since nothing waits without a bound"}`,
      value
    )
}

const SSL_MODES: Record<string, boolean | "prefer"> = {
  disable: false,
  allow: "prefer",
  prefer: "prefer",
  require: true,
  "verify-ca": true,
  "verify-full": true
}

const parameters: Record<string, (into: FromUrl, value: string) => void> = {
  connection_limit: (into, value) => {
    const limit = Number(value)
    into.connectionLimit = Number.isSafeInteger(limit) && limit >= 1
      ? limit
      : refuse("parameter \"connection_limit\"", "a whole number >= 1", value)
  },
  pool_timeout: (into, value) => {
    into.poolTimeout = seconds("pool_timeout", value, false)
  },
  connect_timeout: (into, value) => {
    into.connectTimeout = seconds("connect_timeout", value, false)
  },
  socket_timeout: (into, value) => {
    into.socketTimeout = seconds("socket_timeout", value, true)
  },
  pgbouncer: (into, value) => {
    into.pgbouncer = value === "true" || (value !== "false" && refuse("parameter \"pgbouncer\"", "true, false", value))
  },
  sslmode: (into, value) => {
    const mode = Object.hasOwn(SSL_MODES, value) ? SSL_MODES[value] : undefined
    into.ssl = mode ?? refuse("parameter \"sslmode\"", Object.keys(SSL_MODES).join(", "), value)
  },
  host: (into, value) => {
    into.host = value
  },
  port: (into, value) => {
    into.port = portOf(value)
  },
  user: (into, value) => {
    into.username = value
  },
  password: (into, value) => {
    into.password = Redacted.make(value)
  },
  dbname: (into, value) => {
    into.database = value
  },
  application_name: (into, value) => {
    into.applicationName = value
  },
  options: (into, value) => {
    into.options = value
  }
}

/** What other clients understand; there is no harm in it, and no use. */
const FOREIGN = new Set([
  "schema",
  "statement_cache_size",
  "max_idle_connection_lifetime",
  "max_connection_lifetime",
  "sslcert",
  "sslkey",
  "sslrootcert",
  "sslidentity",
  "sslpassword",
  "sslaccept",
  "channel_binding",
  "target_session_attrs",
  "keepalives",
  "keepalives_idle",
  "keepalives_interval",
  "keepalives_count",
  "tcp_user_timeout",
  "fallback_application_name"
])

const readParameters = (into: FromUrl, search: URLSearchParams): void => {
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name)
    if (!Object.hasOwn(parameters, name)) {
      // A name that nobody knows may be the rest of a password with a question mark in it.
      const shown = FOREIGN.has(name) ? `the URL's parameter "${name}"` : "a parameter of the URL that is not known"
      into.warnings.push(`${shown} has no effect`)
      continue
    }
    if (new Set(values).size > 1) {
      into.warnings.push(`the URL gives "${name}" ${values.length} times; the last one counts`)
    }
    for (const value of values) parameters[name]?.(into, value)
  }
}

const FORM = "postgres://user:password@host:port/database?parameters with everything else percent-encoded"

/** A password that is not encoded ends the user's part early, and its rest would show as a name of something else. */
const refuseStrayed = (url: URL): void => {
  if (/[@/]/.test(url.pathname.slice(1)) || url.search.includes("@") || url.hash !== "") refuse("its text", FORM)
}

const read = (text: string): FromUrl => {
  if (!URL.canParse(text)) refuse("its text", FORM)
  const url = new URL(text)
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") refuse("its protocol", "postgres, postgresql")
  refuseStrayed(url)
  const into: FromUrl = { warnings: [] }
  const host = decode("host", url.hostname).replace(/^\[(.*)\]$/, "$1")
  if (host !== "") into.host = host
  if (url.port !== "") into.port = portOf(url.port)
  if (url.username !== "") into.username = decode("user", url.username)
  if (url.password !== "") into.password = Redacted.make(decode("password", url.password))
  const database = decode("database", url.pathname.replace(/^\//, ""))
  if (database !== "") into.database = database
  readParameters(into, url.searchParams)
  return into
}

export const parse = (url: Redacted.Redacted): Result.Result<FromUrl, ConfigError.ConfigError> => {
  try {
    return Result.succeed(read(Redacted.value(url)))
  } catch (error) {
    // The constructor of URL puts the whole text into its error, so no other message may pass.
    return Result.fail(configError(error instanceof Refused ? error.message : "Postgres URL: it is not valid"))
  }
}
