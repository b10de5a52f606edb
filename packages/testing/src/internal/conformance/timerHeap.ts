/**
 * Timers in the order in which they fire: by instant, then by when they were set.
 *
 * @internal
 */

/** What `setTimeout` returns on virtual time; it answers to what callers do with one. */
export class VirtualTimer {
  at = 0
  order = 0
  isArmed = true
  readonly every: number
  readonly fire: () => void

  constructor(fire: () => void, every: number) {
    this.fire = fire
    this.every = every
  }

  close(): this {
    this.isArmed = false
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return true
  }

  /** Never the number of a real timer. */
  [Symbol.toPrimitive](): number {
    return -1
  }
}

const isBefore = (a: VirtualTimer, b: VirtualTimer) => a.at < b.at || (a.at === b.at && a.order < b.order)

export class TimerHeap {
  private heap: Array<VirtualTimer> = []
  private added = 0

  add(timer: VirtualTimer, at: number): void {
    timer.at = at
    timer.order = this.added++
    const { heap } = this
    let index = heap.push(timer) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (isBefore(heap[parent]!, timer)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = timer
  }

  /** The instant of the next timer; `Infinity` when there is none. */
  next(): number {
    while (this.heap[0]?.isArmed === false) this.pop()
    return this.heap[0]?.at ?? Infinity
  }

  /** Takes out what is due. Closed timers may be among them, and more may be closed by the first that fire. */
  takeDue(now: number): Array<VirtualTimer> {
    const due: Array<VirtualTimer> = []
    while (this.next() <= now) due.push(this.pop())
    return due
  }

  clear(): void {
    this.heap = []
  }

  private pop(): VirtualTimer {
    const { heap } = this
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let index = 0
    for (let child = 1; child < heap.length; child = 2 * index + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (isBefore(last, heap[child]!)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
    return first
  }
}
