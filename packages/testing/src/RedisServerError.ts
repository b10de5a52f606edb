/**
 * What can go wrong between a test and its Redis server.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Reason } from "./internal/serverErrors.ts"

export { AdminFailed, InvalidUrl, NotFound, NotOurs, NotRunning, StartFailed } from "./internal/serverErrors.ts"

/**
 * The one error of `RedisServer`.
 *
 * @since 0.1.0
 * @category errors
 */
export class RedisServerError extends Schema.TaggedError<RedisServerError>()("RedisServerError", { reason: Reason }) {
  override get message() {
    return `RedisServer: ${this.reason.message}`
  }
}
