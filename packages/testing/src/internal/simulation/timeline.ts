/**
 * Virtual time: a heap of what is to happen, and the clock that reads it. Unlike a clock of tests, which is moved by hand,
 * it goes on by itself to the next event as soon as nothing is left to do at this one.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

interface Entry {
  readonly at: number
  /** Orders what happens at one instant. */
  readonly turn: number
  action: (() => void) | undefined
}

const isBefore = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.turn < b.turn)

export class Timeline implements Clock.Clock {
  /** Milliseconds since the simulation began. */
  now = 0
  private turns = 0
  private readonly heap: Array<Entry> = []

  /** Does `action` after `millis`, unless what is returned is called before. */
  after(millis: number, action: () => void): () => void {
    const entry: Entry = { at: this.now + Math.max(0, millis), turn: this.turns++, action }
    this.push(entry)
    return () => {
      entry.action = undefined
    }
  }

  /** Goes on to the next event and does it; false when there is none. */
  step(): boolean {
    for (;;) {
      const entry = this.pop()
      if (entry === undefined) return false
      if (entry.action === undefined) continue
      this.now = entry.at
      entry.action()
      return true
    }
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const millis = Duration.toMillis(duration)
    if (millis === Infinity) return Effect.never
    return Effect.callback((resume) => {
      const cancel = this.after(millis, () => resume(Effect.void))
      return Effect.sync(cancel)
    })
  }

  currentTimeMillisUnsafe(): number {
    return this.now
  }

  currentTimeNanosUnsafe(): bigint {
    return BigInt(Math.round(this.now * 1e6))
  }

  monotonicTimeNanosUnsafe(): bigint {
    return this.currentTimeNanosUnsafe()
  }

  readonly currentTimeMillis: Effect.Effect<number> = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos: Effect.Effect<bigint> = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos: Effect.Effect<bigint> = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  private push(entry: Entry): void {
    const { heap } = this
    let child = heap.push(entry) - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (!isBefore(entry, heap[parent]!)) break
      heap[child] = heap[parent]!
      child = parent
    }
    heap[child] = entry
  }

  private pop(): Entry | undefined {
    const { heap } = this
    const top = heap[0]
    const last = heap.pop()
    if (last !== undefined && last !== top) this.sink(last)
    return top
  }

  private sink(entry: Entry): void {
    const { heap } = this
    let parent = 0
    for (;;) {
      let child = 2 * parent + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, entry)) break
      heap[parent] = heap[child]!
      parent = child
    }
    heap[parent] = entry
  }
}
