/**
 * What can go wrong between a test and its Postgres server.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * No source has a server. The message says what was looked for and what to
 * install.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {
  /** Per source, why it has none. */
  tried: Schema.Array(Schema.Struct({ source: Schema.String, why: Schema.String }))
}) {
  override get message() {
    const tried = this.tried.map(({ source, why }) => `${source}: ${why}`).join("; ")
    return `no Postgres server (${tried}). Install PostgreSQL (Debian: apt-get install postgresql, macOS: brew install ` +
      "postgresql) or set BREAKWATER_TEST_POSTGRES_URL; until then whatever needs a real Postgres is skipped"
  }
}

/**
 * `BREAKWATER_TEST_POSTGRES_URL`, or the URL handed in, is not one of Postgres.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidUrl extends Schema.TaggedError<InvalidUrl>()("InvalidUrl", {}) {
  override get message() {
    return "the URL of the test server must look like postgres://user:password@host:5432/database"
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
  operation: Schema.String
}) {
  override get message() {
    return `${this.operation} is refused: this server was given, not started here (ask for PostgresServer.ownSources)`
  }
}

/**
 * A statement of ours failed: creating or dropping a database, counting or
 * ending connections.
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

/**
 * The one error of `PostgresServer`.
 *
 * @since 0.1.0
 * @category errors
 */
export class PostgresServerError extends Schema.TaggedError<PostgresServerError>()("PostgresServerError", {
  reason: Schema.Union([NotFound, InvalidUrl, StartFailed, NotRunning, NotOurs, AdminFailed])
}) {
  override get message() {
    return `PostgresServer: ${this.reason.message}`
  }
}
