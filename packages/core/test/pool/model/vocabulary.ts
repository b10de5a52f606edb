/** What the model and the pool are both told: how a pool is set up, and what happens to it. Times in milliseconds. */

export interface Size {
  readonly min: number
  readonly max: number
  readonly keep: number
}

export interface Settings extends Size {
  readonly lazy: boolean
  readonly maxWaiting: number
  readonly failFast: boolean
  readonly concurrency: number
  /** Whether there is a `check.test`. */
  readonly tested: boolean
  /** Whether a dial goes on until it is answered, although it was interrupted. */
  readonly stubborn: boolean
  /** Whether there is an `onReturn`. */
  readonly resets: boolean
  readonly maxHold: number
}

// Twice primes far apart, so that two things seldom fall due at one instant, where their order would matter.
export const DIAL_TIMEOUT = 70_046
export const BACKOFF = 13_042
export const CHECK_TIMEOUT = 9974
export const SKIP_WITHIN = 6022
export const MAX_HOLD = 41_042
export const CLOSE_TIMEOUT = 5000

export interface Request {
  readonly id: number
  readonly priority: number
  readonly key: string | undefined
  readonly timeout: number
}

/** How a borrow ends. */
export type Ending = "timedOut" | "refused" | "cancelled" | "unavailable" | "refusedClosed" | "revoked" | "returned"

/** `nth` counts round: whatever was left out before a command, there is something that it can happen to. */
export type Command =
  | (Omit<Request, "id"> & {
    readonly _tag: "borrow"
    readonly via: "use" | "get"
    readonly parkAt: number | undefined
  })
  | { readonly _tag: "go on" | "cancel"; readonly nth: number }
  | { readonly _tag: "return"; readonly nth: number; readonly how: "succeeds" | "fails" | "dies" }
  | { readonly _tag: "answer dial"; readonly nth: number; readonly how: "accepts" | "refuses" | "accepts a corpse" }
  | { readonly _tag: "answer check"; readonly nth: number; readonly how: "passes" | "fails" }
  | { readonly _tag: "end close" | "kill" | "invalidate"; readonly nth: number }
  | { readonly _tag: "tick"; readonly millis: number }
  | { readonly _tag: "clear"; readonly interrupt: boolean }
  | { readonly _tag: "pause" | "resume" }
  | (Size & { readonly _tag: "resize" })
  | { readonly _tag: "drain"; readonly deadline: number }
