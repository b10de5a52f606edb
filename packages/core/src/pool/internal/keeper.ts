/**
 * What happens to a connection for no other reason than time: the end of its life, the end of its idleness, and the
 * checks that keep idle ones alive.
 *
 * Each connection is a deadline of its own and is looked at when the next of the three may be due, so that a
 * connection in use costs nothing, and one timer serves all.
 *
 * @internal
 */
import type { Deadlines } from "../../internal/deadlines.ts"
import type { Bag } from "./bag.ts"
import type { Checks } from "./checks.ts"
import type { Connection, Visitor } from "./connection.ts"
import type { Settings } from "./options.ts"

/** The golden section: its multiples, without their whole parts, are spread evenly however many there are. */
const SECTION = (Math.sqrt(5) - 1) / 2

export class Keeper<A> implements Visitor<A> {
  /** What part of the jitter the next connection gets. Not drawn for each: chance makes clusters. */
  private share: number
  /** Due for a check that keeps them alive, once there is room for one more. */
  private readonly due = new Set<Connection<A>>()
  private readonly settings: Settings<A>
  private readonly bag: Bag<A>
  private readonly checks: Checks<A>
  private readonly deadlines: Deadlines
  private readonly isIdle: (connection: Connection<A>) => boolean
  private readonly wake: () => void

  constructor(
    settings: Settings<A>,
    bag: Bag<A>,
    checks: Checks<A>,
    deadlines: Deadlines,
    isIdle: (connection: Connection<A>) => boolean,
    wake: () => void,
    random: number
  ) {
    this.settings = settings
    this.bag = bag
    this.checks = checks
    this.deadlines = deadlines
    this.isIdle = isIdle
    this.wake = wake
    this.share = random
  }

  /** Takes a new connection into its care. */
  admit(connection: Connection<A>, now: number): void {
    const { jitter, lifetime } = this.settings
    this.share = (this.share + SECTION) % 1
    connection.usedAt = now
    connection.endsAt = now + lifetime * (1 - jitter * this.share)
    connection.visitor = this
    this.schedule(connection, now)
  }

  isOver(connection: Connection<A>, now: number): boolean {
    return now >= connection.endsAt
  }

  visit(connection: Connection<A>): void {
    const now = this.deadlines.now()
    if (this.isIdle(connection)) {
      this.tend(connection, now)
      this.wake()
    }
    if (connection.state !== "closing") this.schedule(connection, now)
  }

  /** Time has passed without anybody having seen it: `millis` of it not on the monotonic clock. */
  jumped(millis: number, now: number): void {
    for (const list of [this.bag.idle, this.bag.used]) {
      for (let one = list.newest; one !== undefined; one = one.older) {
        one.usedAt -= millis
        one.endsAt -= millis
      }
    }
    for (let one = this.bag.idle.oldest; one !== undefined;) {
      const next = one.newer
      this.tend(one, now)
      one = next
    }
  }

  /** After every change: what is past its end goes as soon as another one has taken its place. */
  settle(): void {
    for (const connection of this.bag.leaving) {
      if (this.bag.open <= this.settings.min && this.bag.open < this.settings.max) break
      this.bag.leaving.delete(connection)
      if (this.isIdle(connection)) this.bag.closeIdle(connection, "MaxLifetime")
    }
    for (const connection of this.due) {
      if (this.bag.checking >= this.settings.dialConcurrency) break
      this.due.delete(connection)
      const now = this.deadlines.now()
      if (this.isIdle(connection) && this.needsKeepalive(connection, now)) this.keepAlive(connection, now)
    }
  }

  private tend(connection: Connection<A>, now: number): void {
    if (this.isOver(connection, now)) {
      this.bag.leaving.add(connection)
    } else if (now - connection.usedAt >= this.settings.idleTimeout && this.bag.staying > this.settings.min) {
      this.bag.closeIdle(connection, "Idle")
    } else if (this.needsKeepalive(connection, now)) {
      this.due.add(connection)
    }
  }

  private needsKeepalive(connection: Connection<A>, now: number): boolean {
    return now - Math.max(connection.provenAt, connection.keptAt) >= this.settings.keepalive
  }

  private keepAlive(connection: Connection<A>, now: number): void {
    connection.keptAt = now
    this.bag.idle.remove(connection)
    this.checks.begin(connection, true)
  }

  /** What is overdue now, and was left to be, is asked for again a whole period later. */
  private schedule(connection: Connection<A>, now: number): void {
    const { idleTimeout, keepalive } = this.settings
    const later = (at: number, period: number) => at > now ? at : now + period
    this.deadlines.add(
      connection,
      Math.min(
        later(connection.endsAt, Infinity),
        later(connection.usedAt + idleTimeout, idleTimeout),
        later(Math.max(connection.provenAt, connection.keptAt) + keepalive, keepalive)
      )
    )
  }
}
