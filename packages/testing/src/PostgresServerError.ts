/**
 * What can go wrong between a test and its Postgres server.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Reason } from "./internal/serverErrors.ts"

export { AdminFailed, InvalidUrl, NotFound, NotOurs, NotRunning, StartFailed } from "./internal/serverErrors.ts"

/**
 * The one error of `PostgresServer`.
 *
 * @since 0.1.0
 * @category errors
 */
export class PostgresServerError
  extends Schema.TaggedError<PostgresServerError>()("PostgresServerError", { reason: Reason })
{
  override get message() {
    return `PostgresServer: ${this.reason.message}`
  }
}
