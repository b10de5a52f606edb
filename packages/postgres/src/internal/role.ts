/**
 * Which of a database's servers is sought, and whether the one behind a session is it: after a failover the same address
 * may lead to a server that takes no writes.
 *
 * @internal
 */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import { serverFields } from "./sqlError.ts"

/** libpq's `target_session_attrs`; which to prefer is for who looks for one to say. */
export type Role = "any" | "read-write" | "read-only" | "primary" | "standby"

export const ROLES: Record<string, Role> = {
  any: "any",
  "read-write": "read-write",
  "read-only": "read-only",
  primary: "primary",
  standby: "standby",
  "prefer-standby": "any"
}

interface Found {
  readonly standby: boolean
  readonly readOnly: boolean
}

const SUITS: Record<Role, (found: Found) => boolean> = {
  any: () => true,
  "read-write": ({ readOnly, standby }) => !readOnly && !standby,
  "read-only": ({ readOnly, standby }) => readOnly || standby,
  primary: ({ standby }) => !standby,
  standby: ({ standby }) => standby
}

const QUESTION = "select pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on'"

const wrongRole = (role: Role, { standby }: Found): SqlError => {
  const is = standby ? "a standby" : role === "read-only" || role === "standby" ? "a primary" : "read-only"
  const message = `the server is ${is}, and target_session_attrs asks for ${role}`
  const reason = new ConnectionError({ cause: new Error(message), message, operation: "connect" })
  return new SqlError({ reason })
}

/** A round trip on a session that fails where its server is not the one that is sought; `onWrong` hears of it before. */
export const check = (
  pg: PgConnection.PgConnection,
  role: Role,
  onWrong: () => void = () => {}
): Effect.Effect<void, SqlError> =>
  Effect.flatMap(pg.queryValues(QUESTION, [], false), ([row]) => {
    const found = { standby: row?.[0] === true, readOnly: row?.[1] === true }
    if (SUITS[role](found)) return Effect.void
    onWrong()
    return Effect.fail(wrongRole(role, found))
  })

/** Statements and settings by which a program takes the right to write from itself. */
const WAIVES = /\bread\s+only\b|transaction_read_only\W+(?:to\W+)?(?:on|true|yes|1)\b/i

export const waivesWrites = (sql: string): boolean => WAIVES.test(sql)

const READ_ONLY_TRANSACTION = "25006"

/** The server took no write, or the program had told it to take none. */
export const isReadOnlyRefusal = (error: SqlError): boolean => serverFields(error)?.code === READ_ONLY_TRANSACTION
