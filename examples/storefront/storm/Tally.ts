/** Requests counted: over a second, a stage, the whole storm. */
import type { Sample } from "./Sample.ts"

export class Tally {
  requests = 0
  ok = 0
  untyped = 0
  readonly failures = new Map<string, number>()
  private readonly millis: Array<number> = []

  /** Sockets that break once the end was announced are no surprise to anybody. */
  add(sample: Sample, drainingSince: number): void {
    this.requests++
    this.millis.push(sample.ended - sample.began)
    const { failure } = sample
    if (failure === undefined) {
      this.ok++
      return
    }
    this.failures.set(failure.name, (this.failures.get(failure.name) ?? 0) + 1)
    if (failure.how === "untyped" || (failure.how === "socket" && sample.ended < drainingSince)) this.untyped++
  }

  /** The time within which this share of the requests was answered, in milliseconds; 0 where there were none. */
  percentile(share: number): number {
    const sorted = this.millis.toSorted((a, b) => a - b)
    const rank = Math.max(0, Math.ceil(share * sorted.length) - 1)
    return Math.round((sorted[rank] ?? 0) * 10) / 10
  }
}
