/**
 * What a pool tells beyond its numbers, to who looks into it.
 *
 * @internal
 */
import type { HistogramSnapshot } from "../../internal/histogram.ts"
import type { Holder } from "../PoolError.ts"

/**
 * The last failed dial. `at`: epoch milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface LastError {
  readonly at: number
  readonly error: unknown
}

/**
 * What a pool tells beyond its numbers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Detail {
  /** Since the pool was made: how long borrows waited, how long they held their connections, how long dials took. */
  readonly times: {
    readonly wait: HistogramSnapshot
    readonly use: HistogramSnapshot
    readonly create: HistogramSnapshot
    /** For how much of their hold nothing ran on the connection; with `activity` only. */
    readonly heldIdle?: HistogramSnapshot | undefined
  }
  /** Who has held a connection the longest, at most five, the oldest first. */
  readonly holders: ReadonlyArray<Holder>
  /** What the last failed dial said, also where others have succeeded since. */
  readonly lastError: LastError | undefined
}
