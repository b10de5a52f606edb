/**
 * One direction of a proxied connection: steps in the order they came, each not before its time.
 */
import type { Passage } from "../Fault.ts"

/** Runs `f` after a time in milliseconds; returns how to call it off. */
export type Timer = (millis: number, f: () => void) => () => void

export interface Lane {
  /** Takes a step that moves this many bytes; runs it now when nothing holds it back. */
  readonly push: (bytes: number, run: () => void) => void
  /** Runs everything held back, in order. */
  readonly release: () => void
  /** Forgets everything held back. */
  readonly clear: () => void
  /** Bytes held back. */
  readonly held: () => number
}

interface Step {
  readonly bytes: number
  readonly due: number
  readonly run: () => void
}

export const make = (options: {
  readonly hold: (bytes: number) => ReturnType<Passage>
  readonly now: () => number
  readonly timer: Timer
  /** Called when the bytes held back have become fewer. */
  readonly onMoved: () => void
}): Lane => {
  let steps: Array<Step> = []
  let held = 0
  let cancel: (() => void) | undefined

  const stopTimer = () => {
    cancel?.()
    cancel = undefined
  }
  const advance = () => {
    stopTimer()
    const now = options.now()
    let step = steps[0]
    while (step !== undefined && step.due <= now) {
      steps.shift()
      held -= step.bytes
      step.run()
      step = steps[0]
    }
    if (step !== undefined && step.due !== Infinity) {
      cancel = options.timer(step.due - now, () => {
        cancel = undefined
        advance()
      })
    }
    options.onMoved()
  }

  return {
    push: (bytes, run) => {
      const wait = options.hold(bytes)
      if (wait <= 0 && steps.length === 0) {
        run()
        return
      }
      steps.push({ bytes, due: options.now() + wait, run })
      held += bytes
      if (steps.length === 1) {
        advance()
      }
    },
    release: () => {
      steps = steps.map((step) => ({ ...step, due: -Infinity }))
      advance()
    },
    clear: () => {
      stopTimer()
      steps = []
      held = 0
    },
    held: () => held
  }
}
