/** When a dial may begin: one more at once after each success, one after a failure and a pause, none while paused. */
import * as V from "./vocabulary.ts"

export class Dialling {
  isPaused = false
  isDown = false
  holdOff = Infinity
  private failed = 0
  private window = 1

  most(concurrency: number): number {
    return this.isPaused || this.holdOff < Infinity ? 0 : Math.min(concurrency, this.window)
  }

  succeeds(concurrency: number): void {
    this.reset(Math.min(concurrency, this.window + 1))
  }

  fails(now: number, open: number): void {
    this.failed++
    this.window = 1
    this.holdOff = now + V.BACKOFF
    this.isDown ||= this.failed >= 3 && open === 0
  }

  reset(window: number): void {
    this.window = window
    this.failed = 0
    this.isDown = false
  }
}
