/**
 * A pooled connection, and the list that connections stand in: newest first while idle, oldest borrow last while used.
 * The links are part of the connection, so that taking one out of the middle is O(1).
 *
 * @internal
 */
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Deadline } from "../../internal/deadlines.ts"
import type { CloseReason } from "../PoolEvent.ts"
import type { Borrow } from "./borrow.ts"

/** Who is called when it is time to look at a connection. */
export interface Visitor<A> {
  visit(connection: Connection<A>): void
}

export class Connection<A> implements Deadline {
  readonly item: A
  readonly scope: Scope.Closeable
  /** Connections of an earlier generation than the pool's are never lent. */
  readonly generation: number
  state: "opening" | "idle" | "used" | "checking" | "closing" = "opening"
  /** Monotonic milliseconds of the last proof of life: opened, returned, or checked. */
  provenAt = 0
  /** How many reasons there had been by then to doubt every connection. */
  provenIn = 0
  /** Monotonic milliseconds of the last return, or of the opening. */
  usedAt = 0
  /** Monotonic milliseconds of the last check that was only to keep it alive. */
  keptAt = 0
  /** Whether the check that runs is one. */
  keeping = false
  /** Monotonic milliseconds: not to be lent any more once another one can take its place. */
  endsAt = Infinity
  deadlineAt = 0
  deadlineArmed = false
  visitor: Visitor<A> | undefined
  lent = false
  borrow: Borrow<A> | undefined
  /** Its borrower was interrupted: its work may still run, at the server and, as `work`, here. */
  abandoned = false
  work: Fiber.Fiber<unknown, unknown> | undefined
  /** Monotonic milliseconds: when it was lent last. Not in the borrow, where it would be one more thing to allocate. */
  leasedAt = 0
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

  onDeadline(): void {
    this.visitor?.visit(this)
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

  /** Below those that were used later. */
  insert(connection: Connection<A>): void {
    if (this.newest === undefined || this.newest.usedAt <= connection.usedAt) return this.push(connection)
    let newer = this.oldest!
    while (newer.usedAt <= connection.usedAt) newer = newer.newer! // at the latest the newest ends it
    connection.newer = newer
    connection.older = newer.older
    if (newer.older === undefined) this.oldest = connection
    else newer.older.newer = connection
    newer.older = connection
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
