/**
 * Many deadlines on one timer.
 *
 * A binary heap of instants and a single armed `Clock.sleep` for the earliest of them: a timer (and a fiber) for every
 * waiting caller costs about as much as the call itself. Cancelling is O(1); a cancelled entry leaves the heap when
 * its instant comes, or sooner, once such entries are the majority.
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { monotonicMillis } from "./ambientDeadline.ts"

/** What fires at an instant. Extend it where allocating one more object a call would show. */
export interface Deadline {
  /** Monotonic milliseconds. */
  deadlineAt: number
  /** Set to false to cancel. */
  deadlineArmed: boolean
  onDeadline(): void
}

/** Heaps smaller than this are never compacted. */
const COMPACT_ABOVE = 64

export class Deadlines {
  private heap: Array<Deadline> = []
  private cancelled = 0
  private armedAt = Infinity
  private closed = false
  private timer: Fiber.Fiber<void> | undefined
  private readonly clock: Clock.Clock
  private readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>

  constructor(clock: Clock.Clock, fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>) {
    this.clock = clock
    this.fork = fork
  }

  now(): number {
    return monotonicMillis(this.clock)
  }

  /** Arms `deadline` for the instant `at`; `Infinity` never fires, and nothing does once this is closed. */
  add(deadline: Deadline, at: number): void {
    if (at === Infinity || this.closed) return
    deadline.deadlineAt = at
    deadline.deadlineArmed = true
    this.heap.push(deadline)
    siftUp(this.heap, this.heap.length - 1)
    if (at < this.armedAt) this.arm(at)
  }

  /** Runs `fire` after `millis`; the returned function cancels it. */
  after(millis: number, fire: () => void): () => void {
    const deadline: Deadline = { deadlineAt: 0, deadlineArmed: false, onDeadline: fire }
    this.add(deadline, this.now() + millis)
    return () => this.cancel(deadline)
  }

  cancel(deadline: Deadline): void {
    if (!deadline.deadlineArmed) return
    deadline.deadlineArmed = false
    if (++this.cancelled > COMPACT_ABOVE && this.cancelled > this.heap.length / 2) this.compact()
  }

  /** Ends the timer. Deadlines that are still armed will not fire. */
  close(): void {
    this.closed = true
    this.heap = []
    this.timer?.interruptUnsafe()
  }

  private arm(at: number): void {
    this.armedAt = at
    this.timer?.interruptUnsafe()
    // Rounded up, so that the timer never wakes a fraction of a millisecond early and spins.
    const millis = Math.max(0, Math.ceil(at - this.now()))
    // Nothing fires on the stack of whoever adds it: a clock may let no time at all pass at once.
    const elapsed = millis > 0 ? this.clock.sleep(Duration.millis(millis)) : Effect.yieldNow
    this.timer = this.fork(Effect.andThen(elapsed, Effect.sync(() => this.tick())))
  }

  private tick(): void {
    this.timer = undefined
    this.armedAt = -Infinity // so that what `onDeadline` adds does not arm a timer that the line below replaces
    const now = this.now()
    for (let first = this.heap[0]; first !== undefined; first = this.heap[0]) {
      if (!first.deadlineArmed) {
        this.cancelled--
        popFirst(this.heap)
        continue
      }
      if (first.deadlineAt > now) break
      popFirst(this.heap)
      first.deadlineArmed = false
      first.onDeadline()
    }
    const next = this.heap[0]
    this.armedAt = Infinity
    if (next !== undefined) this.arm(next.deadlineAt)
  }

  private compact(): void {
    const heap = this.heap.filter((deadline) => deadline.deadlineArmed)
    for (let index = (heap.length >> 1) - 1; index >= 0; index--) siftDown(heap, index)
    this.heap = heap
    this.cancelled = 0
  }
}

const siftUp = (heap: Array<Deadline>, start: number): void => {
  const moved = heap[start]!
  let index = start
  while (index > 0) {
    const parent = (index - 1) >> 1
    if (heap[parent]!.deadlineAt <= moved.deadlineAt) break
    heap[index] = heap[parent]!
    index = parent
  }
  heap[index] = moved
}

const popFirst = (heap: Array<Deadline>): void => {
  const last = heap.pop()!
  if (heap.length === 0) return
  heap[0] = last
  siftDown(heap, 0)
}

const siftDown = (heap: Array<Deadline>, start: number): void => {
  const moved = heap[start]!
  let index = start
  for (let child = 2 * index + 1; child < heap.length; child = 2 * index + 1) {
    if (child + 1 < heap.length && heap[child + 1]!.deadlineAt < heap[child]!.deadlineAt) child++
    if (heap[child]!.deadlineAt >= moved.deadlineAt) break
    heap[index] = heap[child]!
    index = child
  }
  heap[index] = moved
}
