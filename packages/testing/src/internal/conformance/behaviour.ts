/**
 * A behaviour, and how it is tried.
 *
 * @internal
 */
import type { Trial } from "./trial.ts"

export interface Case {
  readonly number: number
  readonly name: string
  /** What is demanded, in a sentence. */
  readonly about: string
  readonly run: (trial: Trial) => Promise<void>
}
