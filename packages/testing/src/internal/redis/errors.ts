/** The errors of `RedisServer`. */
import { RedisServerError } from "../../RedisServerError.ts"
import * as ServerErrors from "../serverErrors.ts"

export const errors = ServerErrors.make("Redis", (reason) => new RedisServerError({ reason }))
