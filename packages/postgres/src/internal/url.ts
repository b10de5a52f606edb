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

/** Where a server is; the port may be the usual one. */
export interface Place {
  readonly host: string
  readonly port: number | undefined
}

export interface FromUrl {
  host?: string
  port?: number
  /** Those to try after the first. */
  others?: ReadonlyArray<Place>
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
  /** Servers that are standbys come first, whatever their order. */
  standbyFirst?: boolean
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
    const [host = "", ...others] = value.split(",")
    into.host = host
    into.others = others.map((other) => ({ host: other, port: undefined }))
  },
  port: (into, value) => {
    const ports = value.split(",").map((port) => reader.whole("port", port, 1, 65_535))
    const { others = [] } = into
    if (ports.length !== 1 && ports.length !== others.length + 1) {
      reader.refuse("parameter \"port\"", `one port, or one for each of ${others.length + 1} hosts, after them`, value)
    }
    into.port = ports[0]!
    into.others = others.map(({ host }, index) => ({ host, port: ports[index + 1] ?? ports[0] }))
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
    into.standbyFirst = value === "prefer-standby"
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

/** What comes before the hosts, these, and what comes after them. */
const AUTHORITY = /^([a-z]+:\/\/(?:[^@/?#]*@)?)([^@/?#]*)(.*)$/is

/** Not shown: it may be a part of a password that is not encoded. */
const placeOf = (text: string): Place => {
  const form = "host:port,host:port with everything else percent-encoded"
  if (text === "" || !URL.canParse(`postgres://${text}`)) reader.refuse("one of its hosts", form)
  const { hostname, password, port, username } = new URL(`postgres://${text}`)
  if (username !== "" || password !== "") reader.refuse("one of its hosts", form)
  return {
    host: reader.decode("host", hostname).replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? undefined : Number(port)
  }
}

/** The URL with the first of its hosts, and the others, as libpq has them. */
const takeOthers = (text: string): readonly [url: string, others: ReadonlyArray<Place>] => {
  const [, before = "", hosts = "", after = ""] = AUTHORITY.exec(text) ?? []
  const [first = "", ...others] = hosts.split(",")
  return others.length === 0 ? [text, []] : [before + first + after, others.map(placeOf)]
}

const read = (text: string): FromUrl => {
  const [url, others] = takeOthers(text)
  const { path, protocol: _protocol, search, ...server } = reader.address(url, ["postgres", "postgresql"])
  const into: FromUrl = { ...server, warnings: [], ...(others.length === 0 ? {} : { others }) }
  const database = reader.decode("database", path)
  if (database !== "") into.database = database
  reader.parameters(into, search, parameters, FOREIGN)
  return into
}

export const parse = (url: Redacted.Redacted): Result.Result<FromUrl, Config.ConfigError> => reader.read(url, read)
