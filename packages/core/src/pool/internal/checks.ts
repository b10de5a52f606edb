/**
 * Which connections must prove that they are alive before they are lent, and the checks by which they do.
 *
 * Proof is a use, a check that somebody waited for, or being new. It wears off with time (`check.skipWithin`), and at
 * once for every connection when there is reason for doubt: a check that failed, or a clock that jumped. A check that
 * keeps an idle connection alive dispels the doubt, but the connection stays as idle as it was.
 *
 * @internal
 */
import type { Outbox } from "../../internal/outbox.ts"
import type { Bag } from "./bag.ts"
import type { Connection } from "./connection.ts"
import type { Settings } from "./options.ts"
import type { Edges } from "./poolState.ts"

/** Instead of a number of doubts: its use proves nothing. */
const UNPROVEN = -1

export class Checks<A> {
  /** Counts the reasons for doubt. */
  private doubts = 0
  private readonly settings: Settings<A>
  private readonly bag: Bag<A>
  private readonly outbox: Outbox
  private readonly edges: Edges<A>

  constructor(
    settings: Settings<A>,
    bag: Bag<A>,
    outbox: Outbox,
    edges: Edges<A>
  ) {
    this.settings = settings
    this.bag = bag
    this.outbox = outbox
    this.edges = edges
  }

  needed(connection: Connection<A>, now: number): boolean {
    return now - connection.provenAt > this.settings.skipWithin || this.isSuspect(connection)
  }

  prove(connection: Connection<A>, now: number): void {
    connection.provenAt = now
    connection.provenIn = this.doubts
  }

  passed(connection: Connection<A>, now: number): void {
    this.prove(connection, connection.keeping ? connection.provenAt : now)
  }

  failed(connection: Connection<A>): void {
    connection.doom ??= "CheckFailed"
    this.doubts++
  }

  /** Whether its use has proven it. */
  returned(connection: Connection<A>, now: number): boolean {
    if (connection.provenIn === UNPROVEN) return false
    this.prove(connection, now)
    return true
  }

  /** Also what is in use: it may not have been used since. */
  doubtAll(): void {
    this.doubts++
    if (this.settings.test === undefined) return
    for (let one = this.bag.used.newest; one !== undefined; one = one.older) one.provenIn = UNPROVEN
  }

  /** One check a waiter; suspects all at once, so that many dead ones cost the time of one. */
  supply(waiting: number): void {
    for (let top = this.bag.idle.newest; top !== undefined; top = this.bag.idle.newest) {
      if (!this.isSuspect(top) && this.bag.checking >= waiting) return
      this.bag.idle.remove(top)
      this.begin(top)
    }
  }

  /** For a connection that stands in no list. */
  begin(connection: Connection<A>, keeping = false): void {
    connection.keeping = keeping
    connection.state = "checking"
    this.bag.checking++
    if (this.settings.isAlive(connection.item)) {
      this.outbox.add({ run: () => this.edges.check(connection) })
    } else {
      this.bag.checking--
      this.bag.close(connection, "Broken")
    }
  }

  /** As `begin`, for one that comes back. */
  reset(connection: Connection<A>): void {
    connection.keeping = false
    connection.state = "checking"
    this.bag.checking++
    this.outbox.add({ run: () => this.edges.reset(connection) })
  }

  private isSuspect(connection: Connection<A>): boolean {
    return this.settings.test !== undefined && connection.provenIn < this.doubts
  }
}
