/**
 * Who waits, and whose turn it is: the highest priority first; within a priority one key after the other; within a
 * key first come, first served. Adding, taking and removing are O(1) (times the number of priorities in use).
 *
 * A waiter is a node of the queue itself, so that waiting allocates nothing further and an interrupted waiter leaves
 * at once.
 *
 * @internal
 */

export abstract class Waiter {
  readonly priority: number
  readonly key: string | undefined
  /** @internal */ lane: Lane<this> | undefined
  /** @internal */ previous: this | undefined
  /** @internal */ next: this | undefined

  constructor(priority: number, key: string | undefined) {
    this.priority = priority
    this.key = key
  }
}

/** The waiters of one key in one priority, and a link of the ring in which the keys take turns. */
export class Lane<W extends Waiter> {
  readonly level: Level<W>
  readonly key: string | undefined
  first: W | undefined
  last: W | undefined
  previous: Lane<W> = this
  next: Lane<W> = this

  constructor(level: Level<W>, key: string | undefined) {
    this.level = level
    this.key = key
  }
}

/** One priority. `turn` is the lane that is served next. */
class Level<W extends Waiter> {
  readonly priority: number
  readonly lanes = new Map<string | undefined, Lane<W>>()
  turn: Lane<W> | undefined

  constructor(priority: number) {
    this.priority = priority
  }

  lane(key: string | undefined): Lane<W> {
    let lane = this.lanes.get(key)
    if (lane !== undefined) return lane
    lane = new Lane<W>(this, key)
    this.lanes.set(key, lane)
    if (this.turn === undefined) {
      this.turn = lane
    } else {
      lane.previous = this.turn.previous
      lane.next = this.turn
      lane.previous.next = lane
      lane.next.previous = lane
    }
    return lane
  }

  drop(lane: Lane<W>): void {
    this.lanes.delete(lane.key)
    if (this.turn === lane) this.turn = lane.next === lane ? undefined : lane.next
    lane.previous.next = lane.next
    lane.next.previous = lane.previous
  }
}

export class WaitQueue<W extends Waiter> {
  size = 0
  /** Sorted, the highest priority first. */
  private readonly levels: Array<Level<W>> = []

  add(waiter: W): void {
    const lane = this.level(waiter.priority).lane(waiter.key)
    waiter.lane = lane
    waiter.previous = lane.last
    if (lane.last === undefined) lane.first = waiter
    else lane.last.next = waiter
    lane.last = waiter
    this.size++
  }

  /** The waiter whose turn it is. Taking it out with `remove` leaves the turn with its key. */
  peek(): W | undefined {
    return this.levels[0]?.turn?.first
  }

  /** Of each lane the waiters from the first on, for as long as they pass. */
  leading(passes: (waiter: W) => boolean): ReadonlyArray<W> {
    const leading: Array<W> = []
    for (const level of this.levels) {
      for (const lane of level.lanes.values()) {
        for (let waiter = lane.first; waiter !== undefined && passes(waiter); waiter = waiter.next) leading.push(waiter)
      }
    }
    return leading
  }

  /** Takes out the waiter whose turn it is: of its key the one that came first, or the one that came last. */
  take(newest = false): W | undefined {
    const turn = this.levels[0]?.turn
    if (turn === undefined) return undefined
    const waiter = newest ? turn.last! : turn.first!
    turn.level.turn = turn.next
    this.remove(waiter)
    return waiter
  }

  /** Takes out `waiter`; false when it is not waiting (any more). */
  remove(waiter: W): boolean {
    const lane = waiter.lane
    if (lane === undefined) return false
    if (waiter.previous === undefined) lane.first = waiter.next
    else waiter.previous.next = waiter.next
    if (waiter.next === undefined) lane.last = waiter.previous
    else waiter.next.previous = waiter.previous
    waiter.lane = waiter.previous = waiter.next = undefined
    this.size--
    if (lane.first === undefined) this.dropLane(lane)
    return true
  }

  private dropLane(lane: Lane<W>): void {
    lane.level.drop(lane)
    if (lane.level.turn === undefined) this.levels.splice(this.levels.indexOf(lane.level), 1)
  }

  private level(priority: number): Level<W> {
    let index = 0
    for (; index < this.levels.length; index++) {
      const level = this.levels[index]!
      if (level.priority === priority) return level
      if (level.priority < priority) break
    }
    const level = new Level<W>(priority)
    this.levels.splice(index, 0, level)
    return level
  }
}
