/**
 * The results that a breaker looks back on. Adding one is constant work, and so is reading the sums.
 *
 * @internal
 */
import type { Time } from "./breakerState.ts"

export interface Tally {
  readonly calls: number
  readonly failures: number
  readonly slow: number
}

/** So many of the last results, or those of so many of the last milliseconds. */
export type Span = number | { readonly millis: number }

export interface Window extends Tally {
  /** Asks for the time only where it forgets by time. */
  add(failed: boolean, slow: boolean, time: Time): void
  clear(): void
}

const FAILED = 1
const SLOW = 2

/** The last `size` results, in a ring. */
export class CountWindow implements Window {
  calls = 0
  failures = 0
  slow = 0
  private readonly results: Uint8Array
  private next = 0

  constructor(size: number) {
    this.results = new Uint8Array(size)
  }

  add(failed: boolean, slow: boolean): void {
    if (this.calls === this.results.length) this.forgetOldest()
    this.push((failed ? FAILED : 0) | (slow ? SLOW : 0))
  }

  clear(): void {
    this.next =
      this.calls =
      this.failures =
      this.slow =
        0
  }

  /** The newest of them, in a window of another size. */
  resized(size: number): CountWindow {
    const window = new CountWindow(size)
    const length = this.results.length
    for (let back = Math.min(this.calls, size); back > 0; back--) {
      window.push(this.results[(this.next - back + length) % length]!)
    }
    return window
  }

  private push(result: number): void {
    this.results[this.next] = result
    this.next = this.next + 1 === this.results.length ? 0 : this.next + 1
    this.calls++
    this.failures += result & FAILED
    this.slow += result >> 1
  }

  private forgetOldest(): void {
    const oldest = this.results[this.next]!
    this.calls--
    this.failures -= oldest & FAILED
    this.slow -= oldest >> 1
  }
}

/** A result is forgotten with its tenth of the time, as in Hystrix: up to a tenth early. */
const BUCKETS = 10

/** The results of the last `millis` milliseconds. */
export class TimeWindow implements Window {
  calls = 0
  failures = 0
  slow = 0
  private readonly width: number
  private readonly buckets: Array<{ calls: number; failures: number; slow: number }>
  /** Number of the newest bucket, counted from the beginning of time. */
  private newest = 0

  constructor(millis: number) {
    this.width = millis / BUCKETS
    this.buckets = Array.from({ length: BUCKETS }, () => ({ calls: 0, failures: 0, slow: 0 }))
  }

  add(failed: boolean, slow: boolean, time: Time): void {
    this.forget(Math.floor(time.now() / this.width))
    const bucket = this.bucket(this.newest)
    bucket.calls++
    this.calls++
    if (failed) {
      bucket.failures++
      this.failures++
    }
    if (slow) {
      bucket.slow++
      this.slow++
    }
  }

  clear(): void {
    this.calls = this.failures = this.slow = 0
    for (const bucket of this.buckets) bucket.calls = bucket.failures = bucket.slow = 0
  }

  private forget(upTo: number): void {
    this.newest = Math.max(this.newest, upTo - BUCKETS)
    while (this.newest < upTo) {
      const bucket = this.bucket(++this.newest)
      this.calls -= bucket.calls
      this.failures -= bucket.failures
      this.slow -= bucket.slow
      bucket.calls = bucket.failures = bucket.slow = 0
    }
  }

  private bucket(number: number) {
    return this.buckets[number % BUCKETS]!
  }
}

const isMillis = (span: Span): span is { readonly millis: number } => typeof span === "object"

export const make = (span: Span): Window => isMillis(span) ? new TimeWindow(span.millis) : new CountWindow(span)

const sameSpan = (a: Span, b: Span): boolean => isMillis(a) && isMillis(b) ? a.millis === b.millis : a === b

/** With another span. What one kind of window knows cannot be told to the other: such a one begins empty. */
export const resized = (window: Window, from: Span, to: Span): Window => {
  if (sameSpan(from, to)) return window
  return window instanceof CountWindow && !isMillis(to) ? window.resized(to) : make(to)
}
