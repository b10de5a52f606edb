/**
 * A connection URL taken apart: where the server is, who asks, and the settings of the pool that ride along.
 *
 * Nothing here shows the URL or its password: errors name the part and, for settings, the value.
 *
 * @internal
 */
import * as ConnectionUrl from "@breakwater/core/ConnectionUrl"
import type * as Config from "effect/Config"
import * as Redacted from "effect/Redacted"
import type * as Result from "effect/Result"
import { type Role, ROLES } from "./role.ts"

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
  role?: Role
  readonly warnings: Array<string>
}

const reader: ConnectionUrl.Reader = new ConnectionUrl.Reader("Postgres")

const SSL_MODES: Record<string, boolean | "prefer"> = {
  disable: false,
  allow: "prefer",
  prefer: "prefer",
  require: true,
  "verify-ca": true,
  "verify-full": true
}

/** `sslmode` and `ssl` say the same: where one asks for TLS, the other must not give it up. */
const setTls = (into: FromUrl, name: string, value: string, wanted: boolean | "prefer"): void => {
  if (into.ssl !== undefined && (into.ssl === true) !== (wanted === true)) {
    reader.refuse(`parameter "${name}"`, "what the URL says of TLS elsewhere", value)
  }
  into.ssl = wanted
}

const parameters: ConnectionUrl.Parameters<FromUrl> = {
  connection_limit: (into, value) => {
    into.connectionLimit = reader.whole("parameter \"connection_limit\"", value, 1)
  },
  pool_timeout: (into, value) => {
    into.poolTimeout = reader.seconds("pool_timeout", value)
  },
  connect_timeout: (into, value) => {
    into.connectTimeout = reader.seconds("connect_timeout", value)
  },
  socket_timeout: (into, value) => {
    into.socketTimeout = reader.seconds("socket_timeout", value, "zero")
  },
  pgbouncer: (into, value) => {
    into.pgbouncer = reader.flag("pgbouncer", value)
  },
  sslmode: (into, value) => {
    const mode = Object.hasOwn(SSL_MODES, value) ? SSL_MODES[value] : undefined
    if (mode === undefined) reader.refuse("parameter \"sslmode\"", Object.keys(SSL_MODES).join(", "), value)
    else setTls(into, "sslmode", value, mode)
  },
  ssl: (into, value) => setTls(into, "ssl", value, reader.flag("ssl", value)),
  host: (into, value) => {
    into.host = value
  },
  port: (into, value) => {
    into.port = reader.whole("port", value, 1, 65_535)
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
  target_session_attrs: (into, value) => {
    const role = Object.hasOwn(ROLES, value) ? ROLES[value] : undefined
    if (role === undefined) {
      return reader.refuse("parameter \"target_session_attrs\"", Object.keys(ROLES).join(", "), value)
    }
    into.role = role
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
  "keepalives",
  "keepalives_idle",
  "keepalives_interval",
  "keepalives_count",
  "tcp_user_timeout",
  "fallback_application_name"
])

const read = (text: string): FromUrl => {
  const { path, protocol: _protocol, search, ...server } = reader.address(text, ["postgres", "postgresql"])
  const into: FromUrl = { ...server, warnings: [] }
  const database = reader.decode("database", path)
  if (database !== "") into.database = database
  reader.parameters(into, search, parameters, FOREIGN)
  return into
}

export const parse = (url: Redacted.Redacted): Result.Result<FromUrl, Config.ConfigError> => reader.read(url, read)
