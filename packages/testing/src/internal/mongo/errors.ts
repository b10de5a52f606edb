/** The errors of `MongoServer`. */
import { MongoServerError } from "../../MongoServerError.ts"
import * as ServerErrors from "../serverErrors.ts"

export const errors = ServerErrors.make("MongoDB", (reason) => new MongoServerError({ reason }))
