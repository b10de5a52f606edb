/**
 * What is kept by key: at most so many keys, and those that nobody asks for are forgotten. A lookup is one of a map, and
 * needs no clock.
 *
 * Two generations: who is asked for moves to the young one, and when that is half of all, or old enough, it becomes the old
 * one and the old one is forgotten. A key is hence forgotten after once to twice the idle time, as soon as another comes.
 *
 * @internal
 */
import type { Time } from "./breakerState.ts"

export class Keyed<V> {
  private young = new Map<string, V>()
  private old = new Map<string, V>()
  private turnedAt: number | undefined
  private readonly max: number
  private readonly idle: number
  private readonly make: (key: string) => V

  /** `max` of 2 or more; `idle` in milliseconds. */
  constructor(max: number, idle: number, make: (key: string) => V) {
    this.max = max
    this.idle = idle
    this.make = make
  }

  get size(): number {
    return this.young.size + this.old.size
  }

  /** Without keeping it from being forgotten. */
  peek(key: string): V | undefined {
    return this.young.get(key) ?? this.old.get(key)
  }

  get(key: string, time: Time): V {
    return this.young.get(key) ?? this.renew(key, time)
  }

  *values(): IterableIterator<V> {
    yield* this.young.values()
    yield* this.old.values()
  }

  private renew(key: string, time: Time): V {
    const value = this.old.get(key) ?? this.make(key)
    this.old.delete(key)
    const now = time.now()
    this.turnedAt ??= now
    if (2 * (this.young.size + 1) > this.max || now - this.turnedAt >= this.idle) {
      this.turnedAt = now
      this.old = this.young
      this.young = new Map()
    }
    this.young.set(key, value)
    return value
  }
}
