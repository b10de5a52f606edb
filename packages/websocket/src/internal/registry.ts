/**
 * The open connections by id and by key, and what happened to them. Everything here is O(1), but for lists.
 *
 * @internal
 */
import type { Channel } from "./channel.ts"

export interface Entry {
  readonly channel: Channel
  readonly key: string | undefined
}

export interface Counts {
  opened: number
  closed: number
  refused: number
  refusedDraining: number
  dead: number
  idle: number
  slow: number
  sent: number
  received: number
  waiting: number
}

const NONE: ReadonlySet<Entry> = new Set()

export class Registry {
  readonly entries = new Map<string, Entry>()
  /** Sockets that are not closed yet, those of refused peers included. */
  readonly channels = new Set<Channel>()
  readonly counts: Counts = {
    opened: 0,
    closed: 0,
    refused: 0,
    refusedDraining: 0,
    dead: 0,
    idle: 0,
    slow: 0,
    sent: 0,
    received: 0,
    waiting: 0
  }
  private readonly keys = new Map<string, Set<Entry>>()
  private ids = 0

  nextId(): string {
    return `c${++this.ids}`
  }

  ofKey(key: string): ReadonlySet<Entry> {
    return this.keys.get(key) ?? NONE
  }

  get keyCount(): number {
    return this.keys.size
  }

  add(entry: Entry): void {
    this.counts.opened++
    this.entries.set(entry.channel.id, entry)
    if (entry.key === undefined) return
    const same = this.keys.get(entry.key)
    if (same === undefined) this.keys.set(entry.key, new Set([entry]))
    else same.add(entry)
  }

  /** Whether it was there. */
  delete(entry: Entry): boolean {
    if (this.entries.get(entry.channel.id) !== entry) return false
    this.counts.closed++
    this.entries.delete(entry.channel.id)
    if (entry.key === undefined) return true
    const same = this.keys.get(entry.key)
    same?.delete(entry)
    if (same?.size === 0) this.keys.delete(entry.key)
    return true
  }
}
