/**
 * A pooled connection, and the list that connections stand in: newest first while idle, oldest borrow last while used.
 * The links are part of the connection, so that taking one out of the middle is O(1).
 *
 * @internal
 */
import type * as Scope from "effect/Scope"
import type { CloseReason } from "../PoolEvent.ts"
import type { Borrow } from "./borrow.ts"

export class Connection<A> {
  readonly item: A
  readonly scope: Scope.Closeable
  /** Connections of an earlier generation than the pool's are never lent. */
  readonly generation: number
  state: "opening" | "idle" | "used" | "checking" | "closing" = "opening"
  /** Monotonic milliseconds of the last proof of life: opened, returned, or checked. */
  provenAt = 0
  /** How often a check of any connection had failed by then. */
  provenIn = 0
  lent = false
  borrow: Borrow<A> | undefined
  /** Decided while it was used: close it when it comes back. */
  doom: CloseReason | undefined
  newer: Connection<A> | undefined
  older: Connection<A> | undefined
  /** The next one with the same item. */
  twin: Connection<A> | undefined

  constructor(item: A, scope: Scope.Closeable, generation: number) {
    this.item = item
    this.scope = scope
    this.generation = generation
  }
}

export class ConnectionList<A> {
  size = 0
  newest: Connection<A> | undefined
  oldest: Connection<A> | undefined

  push(connection: Connection<A>): void {
    connection.older = this.newest
    if (this.newest === undefined) this.oldest = connection
    else this.newest.newer = connection
    this.newest = connection
    this.size++
  }

  remove(connection: Connection<A>): void {
    const { newer, older } = connection
    if (newer === undefined) this.newest = older
    else newer.older = older
    if (older === undefined) this.oldest = newer
    else older.newer = newer
    connection.newer = connection.older = undefined
    this.size--
  }
}
