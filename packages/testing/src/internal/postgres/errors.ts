/** The errors of `PostgresServer`. */
import { PostgresServerError } from "../../PostgresServerError.ts"
import * as ServerErrors from "../serverErrors.ts"

export const errors = ServerErrors.make("Postgres", (reason) => new PostgresServerError({ reason }))
