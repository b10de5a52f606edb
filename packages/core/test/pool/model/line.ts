/** Who waits, and whose turn it is, found by sorting them all. */
import type * as V from "./vocabulary.ts"

const laneOf = (one: V.Request) => `${one.priority} ${one.key}`

export class Line {
  waiting: Array<V.Request & { readonly until: number }> = []
  private turn = 0
  /** When each lane was served last, or began to wait, by a count of turns. */
  private readonly turns = new Map<string, number>()

  join(request: V.Request, until: number): void {
    if (!this.waiting.some((one) => laneOf(one) === laneOf(request))) this.turns.set(laneOf(request), ++this.turn)
    this.waiting.push({ ...request, until })
  }

  next(): V.Request | undefined {
    const turn = (one: V.Request) => this.turns.get(laneOf(one)) ?? 0
    return this.waiting.toSorted((a, b) => b.priority - a.priority || turn(a) - turn(b))[0]
  }

  served(request: V.Request): void {
    this.leave(request.id)
    this.turns.set(laneOf(request), ++this.turn)
  }

  leave(id: number): void {
    this.waiting = this.waiting.filter((one) => one.id !== id)
  }
}
