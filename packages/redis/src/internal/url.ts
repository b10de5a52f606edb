/**
 * A connection URL taken apart: where the server is, who asks, and the settings that ride along.
 *
 * Nothing here shows the URL or its password: errors name the part and, for settings, the value.
 *
 * @internal
 */
import * as ConnectionUrl from "@breakwater/core/ConnectionUrl"
import type * as Config from "effect/Config"
import type * as Redacted from "effect/Redacted"
import type * as Result from "effect/Result"

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

const reader: ConnectionUrl.Reader = new ConnectionUrl.Reader("Redis")

const databaseOf = (value: string): number => reader.whole("database", value, 0, 1_000_000)

const setTls = (into: FromUrl, name: string, value: string): void => {
  const wanted = reader.flag(name, value)
  if (into.tls === true && !wanted) reader.refuse(`parameter "${name}"`, "true with rediss, which means TLS", value)
  into.tls = into.tls === true || wanted
}

const parameters: ConnectionUrl.Parameters<FromUrl> = {
  ssl: (into, value) => setTls(into, "ssl", value),
  tls: (into, value) => setTls(into, "tls", value),
  db: (into, value) => {
    into.database = databaseOf(value)
  },
  max_connections: (into, value) => {
    into.maxConnections = reader.whole("parameter \"max_connections\"", value, 2)
  },
  connect_timeout: (into, value) => {
    into.connectTimeout = reader.seconds("connect_timeout", value)
  },
  socket_timeout: (into, value) => {
    into.socketTimeout = reader.seconds("socket_timeout", value)
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

const read = (text: string): FromUrl => {
  const { path, protocol, search, ...server } = reader.address(text, ["redis", "rediss"])
  const into: FromUrl = { ...server, warnings: [] }
  if (protocol === "rediss:") into.tls = true
  // Not shown: it may be what comes after a slash in a password.
  if (path !== "") into.database = /^\d+$/.test(path) ? databaseOf(path) : reader.refuse("database", "a number")
  reader.parameters(into, search, parameters, FOREIGN)
  return into
}

export const parse = (url: Redacted.Redacted): Result.Result<FromUrl, Config.ConfigError> => reader.read(url, read)
