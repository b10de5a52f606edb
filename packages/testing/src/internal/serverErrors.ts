/**
 * What can go wrong between a test and a real server, of whatever kind; each kind wraps it in an error of its own.
 */
import * as Schema from "effect/Schema"

const Server = Schema.Literals(["Postgres", "Redis", "MongoDB"])
type Server = typeof Server.Type

interface About {
  readonly module: string
  readonly variable: string
  readonly url: string
  readonly install: string
  readonly otherwise: string
}

const about: Record<Server, About> = {
  Postgres: {
    module: "PostgresServer",
    variable: "BREAKWATER_TEST_POSTGRES_URL",
    url: "postgres://user:password@host:5432/database",
    install: "PostgreSQL (Debian: apt-get install postgresql, macOS: brew install postgresql)",
    otherwise: "until then whatever needs a real Postgres is skipped"
  },
  Redis: {
    module: "RedisServer",
    variable: "BREAKWATER_TEST_REDIS_URL",
    url: "redis://user:password@host:6379/0",
    install: "Redis (Debian: apt-get install redis-server, macOS: brew install redis)",
    otherwise: "until then whatever needs a real Redis is skipped"
  },
  MongoDB: {
    module: "MongoServer",
    variable: "BREAKWATER_TEST_MONGODB_URL",
    url: "mongodb://user:password@host:27017/database",
    install: "mongod or FerretDB",
    otherwise: "the source \"responder\" needs neither, and is no MongoDB"
  }
}

/**
 * No source has a server. The message says what was looked for and what to install.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {
  server: Server,
  /** Per source, why it has none. */
  tried: Schema.Array(Schema.Struct({ source: Schema.String, why: Schema.String }))
}) {
  override get message() {
    const { install, otherwise, variable } = about[this.server]
    const tried = this.tried.map(({ source, why }) => `${source}: ${why}`).join("; ")
    return `no ${this.server} server (${tried}). Install ${install} or set ${variable}; ${otherwise}`
  }
}

/**
 * The URL of the environment, or the one handed in, is not one of such a server.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidUrl extends Schema.TaggedError<InvalidUrl>()("InvalidUrl", { server: Server }) {
  override get message() {
    return `the URL of the test server must look like ${about[this.server].url}`
  }
}

/**
 * The server could not be set up or did not accept connections in time.
 *
 * @since 0.1.0
 * @category errors
 */
export class StartFailed extends Schema.TaggedError<StartFailed>()("StartFailed", {
  step: Schema.Literals(["install", "folder", "initdb", "start"]),
  /** Why, with the end of what the program wrote. */
  detail: Schema.String
}) {
  override get message() {
    return `${this.step} failed: ${this.detail}`
  }
}

/**
 * The server has been stopped or killed and was not started again.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotRunning extends Schema.TaggedError<NotRunning>()("NotRunning", {}) {
  override get message() {
    return "the server is not running"
  }
}

/**
 * The server was given to us: it is never stopped, killed or started.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotOurs extends Schema.TaggedError<NotOurs>()("NotOurs", {
  server: Server,
  operation: Schema.String
}) {
  override get message() {
    const { module } = about[this.server]
    return `${this.operation} is refused: this server was given, not started here (ask for ${module}.ownSources)`
  }
}

/**
 * A statement or command of the helper itself failed: asking for the version, counting or ending connections, creating
 * or dropping a database.
 *
 * @since 0.1.0
 * @category errors
 */
export class AdminFailed extends Schema.TaggedError<AdminFailed>()("AdminFailed", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `${this.operation} failed: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/** The reasons of every kind's error. */
export const Reason = Schema.Union([NotFound, InvalidUrl, StartFailed, NotRunning, NotOurs, AdminFailed])

export type Step = StartFailed["step"]

/** The errors of one kind of server. */
export interface Errors<E> {
  readonly variable: string
  readonly notFound: (tried: NotFound["tried"]) => E
  readonly invalidUrl: () => E
  readonly startFailed: (step: Step, detail: string) => E
  readonly notRunning: () => E
  readonly notOurs: (operation: string) => E
  readonly adminFailed: (operation: string, cause: unknown) => E
}

export const make = <E>(server: Server, wrap: (reason: typeof Reason.Type) => E): Errors<E> => ({
  variable: about[server].variable,
  notFound: (tried) => wrap(new NotFound({ server, tried })),
  invalidUrl: () => wrap(new InvalidUrl({ server })),
  startFailed: (step, detail) => wrap(new StartFailed({ step, detail })),
  notRunning: () => wrap(new NotRunning()),
  notOurs: (operation) => wrap(new NotOurs({ server, operation })),
  adminFailed: (operation, cause) => wrap(new AdminFailed({ operation, cause }))
})
