/** Requests of one phase, or of one second, counted; times in milliseconds, from when a request was due. */
import { quantile } from "../statistics.ts"

export interface Summary {
  readonly requests: number
  readonly ok: number
  /** How many failed for each reason, the most frequent first. */
  readonly failures: Readonly<Record<string, number>>
  /** Of those that were answered. `null` where none was. */
  readonly millis:
    | { readonly mean: number; readonly p50: number; readonly p95: number; readonly p99: number; readonly max: number }
    | null
}

const round = (millis: number): number => Math.round(millis * 10) / 10

export class Tally {
  private requests = 0
  private ok = 0
  private readonly failures = new Map<string, number>()
  private readonly millis: Array<number> = []

  add(millis: number, failure: string | undefined): void {
    this.requests++
    // One that was given up says how long the client was willing to wait, which is no time of the server's.
    if (failure === undefined) {
      this.ok++
      this.millis.push(millis)
    } else this.failures.set(failure, (this.failures.get(failure) ?? 0) + 1)
  }

  summary(): Summary {
    const { millis } = this
    const of = (share: number) => round(quantile(millis, share))
    return {
      requests: this.requests,
      ok: this.ok,
      failures: Object.fromEntries([...this.failures].toSorted(([, a], [, b]) => b - a)),
      millis: millis.length === 0 ? null : {
        mean: round(millis.reduce((sum, value) => sum + value, 0) / millis.length),
        p50: of(0.5),
        p95: of(0.95),
        p99: of(0.99),
        max: of(1)
      }
    }
  }
}
