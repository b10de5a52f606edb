/**
 * What can go wrong between a test and its MongoDB server.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * None of the sources asked for has a server. The message says what was looked for.
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
    return `no MongoDB server (${tried}). Install mongod or FerretDB, or set BREAKWATER_TEST_MONGODB_URL; the source ` +
      "\"responder\" needs neither, and is no MongoDB"
  }
}

/**
 * The server could not be set up or did not accept connections in time.
 *
 * @since 0.1.0
 * @category errors
 */
export class StartFailed extends Schema.TaggedError<StartFailed>()("StartFailed", {
  step: Schema.Literals(["folder", "start"]),
  /** Why, with the end of what the program wrote. */
  detail: Schema.String
}) {
  override get message() {
    return `${this.step} failed: ${this.detail}`
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
    return `${this.operation} is refused: this server was given, not started here (ask for MongoServer.ownSources)`
  }
}

/**
 * A command of the helper itself failed: asking for the version, counting or ending connections.
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
 * The one error of `MongoServer` and `FakeMongo`.
 *
 * @since 0.1.0
 * @category errors
 */
export class MongoServerError extends Schema.TaggedError<MongoServerError>()("MongoServerError", {
  reason: Schema.Union([NotFound, StartFailed, NotOurs, AdminFailed])
}) {
  override get message() {
    return `MongoServer: ${this.reason.message}`
  }
}
