/**
 * How many connections to open: for who waits, for `size.min`, for who watches the pool as a whole.
 *
 * @internal
 */
import type { Outbox, Task } from "../../internal/outbox.ts"
import type { PoolError } from "../PoolError.ts"
import type { Bag } from "./bag.ts"
import type { Dialer } from "./dialer.ts"
import type { Settings } from "./options.ts"

/** Something that waits for connections to open, or for all of them to be gone. */
export interface Watcher {
  /** Connections to have open while it watches. */
  readonly want: number
  onTurn(open: number, total: number): void
  onDialFailed?(error: PoolError): void
}

export class Supply<A> {
  /** Whether `size.min` connections are to be open although nobody waits. */
  filling = false
  private readonly watchers = new Set<Watcher>()
  private readonly settings: Settings<A>
  private readonly bag: Bag<A>
  private readonly dialer: Dialer
  private readonly outbox: Outbox
  private readonly dialTask: Task

  constructor(settings: Settings<A>, bag: Bag<A>, dialer: Dialer, outbox: Outbox, dial: () => void) {
    this.settings = settings
    this.bag = bag
    this.dialer = dialer
    this.outbox = outbox
    this.dialTask = { run: dial }
  }

  /** Tells `watcher` of every turn, and has the connections it wants opened, until the returned function is called. */
  watch(watcher: Watcher): () => void {
    this.watchers.add(watcher)
    return () => void this.watchers.delete(watcher)
  }

  turned(): void {
    for (const watcher of this.watchers) watcher.onTurn(this.bag.open, this.bag.total)
  }

  dialFailed(error: () => PoolError): void {
    for (const watcher of this.watchers) watcher.onDialFailed?.(error())
  }

  dial(waiting: number): void {
    const { checking, open, staying } = this.bag
    const floor = this.filling ? this.settings.min : 0
    let want = Math.max(waiting - checking, floor - staying, this.dialer.down ? 1 : 0)
    for (const watcher of this.watchers) want = Math.max(want, watcher.want - open)
    while (this.bag.opening < want && this.bag.total < this.settings.max && this.dialer.admits(this.bag.opening)) {
      this.bag.opening++
      this.outbox.add(this.dialTask)
    }
  }
}
