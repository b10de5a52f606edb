/**
 * What can go wrong between a test and its MongoDB server.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Reason } from "./internal/serverErrors.ts"

export { AdminFailed, InvalidUrl, NotFound, NotOurs, NotRunning, StartFailed } from "./internal/serverErrors.ts"

/**
 * The one error of `MongoServer` and `FakeMongo`.
 *
 * @since 0.1.0
 * @category errors
 */
export class MongoServerError extends Schema.TaggedError<MongoServerError>()("MongoServerError", { reason: Reason }) {
  override get message() {
    return `MongoServer: ${this.reason.message}`
  }
}
