/**
 * The connections of a pool: where each of them stands, and how many are on their way in or out.
 *
 * The cap is arithmetic: a slot is counted from before a dial starts until after its close has ended, so
 * `idle + used + opening + checking + closing <= max` whatever happens in between.
 *
 * @internal
 */
import type { EventHub } from "../../internal/eventHub.ts"
import type { Outbox, Task } from "../../internal/outbox.ts"
import type { CloseReason, PoolEvent } from "../PoolEvent.ts"
import { type Connection, ConnectionList } from "./connection.ts"

export class Bag<A> {
  idle = new ConnectionList<A>()
  readonly used = new ConnectionList<A>()
  /** Open ones past the end of their life, which stay until another one has taken their place. */
  readonly leaving = new Set<Connection<A>>()
  opening = 0
  checking = 0
  closing = 0
  /** Since the pool was made; a connection counts as closed as soon as its close is decided. */
  opened = 0
  closed = 0
  private readonly byItem = new Map<A, Connection<A>>()
  private readonly startClose: (connection: Connection<A>) => void
  private readonly outbox: Outbox
  private readonly events: EventHub<PoolEvent>

  constructor(startClose: (connection: Connection<A>) => void, outbox: Outbox, events: EventHub<PoolEvent>) {
    this.startClose = startClose
    this.outbox = outbox
    this.events = events
  }

  get open(): number {
    return this.idle.size + this.used.size + this.checking
  }

  get staying(): number {
    return this.open - this.leaving.size
  }

  get total(): number {
    return this.open + this.opening + this.closing
  }

  add(connection: Connection<A>): void {
    this.opened++
    connection.twin = this.byItem.get(connection.item)
    this.byItem.set(connection.item, connection)
  }

  /** Items may be equal: numbers, or one client that every connection shares. */
  find(item: A): ReadonlyArray<Connection<A>> {
    const found: Array<Connection<A>> = []
    for (let one = this.byItem.get(item); one !== undefined; one = one.twin) found.push(one)
    return found
  }

  /** On top, unless all that happened to it is that it was kept alive. */
  putIdle(connection: Connection<A>): void {
    connection.state = "idle"
    if (connection.keeping) this.idle.insert(connection)
    else this.idle.push(connection)
  }

  putUsed(connection: Connection<A>): void {
    connection.state = "used"
    this.used.push(connection)
  }

  closeIdle(connection: Connection<A>, reason: CloseReason): void {
    this.idle.remove(connection)
    this.close(connection, reason)
  }

  /** For a connection that stands in no list any more. */
  close(connection: Connection<A>, reason: CloseReason): void {
    this.closing++
    this.closed++
    this.leaving.delete(connection)
    this.leave(connection, reason)
  }

  /** Closes everything that is idle: counted at once, closed one a task. */
  sweep(reason: CloseReason): void {
    const swept = this.idle
    this.idle = new ConnectionList()
    this.leaving.clear()
    this.closing += swept.size
    this.closed += swept.size
    const task: Task = {
      run: () => {
        const connection = swept.newest
        if (connection === undefined) return
        swept.remove(connection)
        this.leave(connection, reason)
        this.outbox.add(task)
      }
    }
    this.outbox.add(task)
  }

  private leave(connection: Connection<A>, reason: CloseReason): void {
    connection.state = "closing"
    this.forget(connection)
    this.events.publish?.({ _tag: "Closed", reason })
    this.outbox.add({ run: () => this.startClose(connection) })
  }

  private forget(connection: Connection<A>): void {
    const { item, twin } = connection
    let before = this.byItem.get(item)
    if (before === connection) {
      if (twin === undefined) this.byItem.delete(item)
      else this.byItem.set(item, twin)
      return
    }
    while (before !== undefined && before.twin !== connection) before = before.twin
    if (before !== undefined) before.twin = twin
  }
}
