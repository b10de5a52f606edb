/**
 * What is kept by key: at most so many keys, and those that nobody asks for are forgotten. A lookup is one of a map, and
 * needs no clock.
 *
 * Two generations: who is asked for moves to the young one, and when that is half of all, or old enough, it becomes the old
 * one and the old one is forgotten. A key is hence forgotten after once to twice the idle time, as soon as another comes.
 *
 * @internal
 */
import type * as Duration from "effect/Duration"
import * as validate from "../../internal/validate.ts"
import type { Time } from "./breakerState.ts"

/**
 * How many keys are kept, and for how long: the one that nobody asked for goes first, and none is kept that nobody asks
 * for in twice `idle`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PerKey {
  /** Keys at most, 2 or more. Default 1,000. */
  readonly max?: number | undefined
  /** Default 1 hour, as in Effect's breaker. */
  readonly idle?: Duration.Input | undefined
}

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

  /** As the option `perKey` says. */
  static from<V>(options: PerKey, make: (key: string) => V): Keyed<V> {
    const max = validate.integer("perKey.max", options.max ?? 1000, 2)
    return new Keyed(max, validate.boundedMillis("perKey.idle", options.idle ?? "1 hour"), make)
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
