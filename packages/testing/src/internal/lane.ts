/**
 * One direction of a proxied connection: steps in the order they came, each not before its time.
 */
import type { Packet } from "./faults/model.ts"
import type { Timer } from "./timer.ts"

export interface Lane {
  /** Takes the step of a packet; runs it now when nothing holds it back. */
  readonly push: (packet: Packet, run: () => void) => void
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
  /** In milliseconds. */
  readonly hold: (packet: Packet) => number
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
      // A timer of less than a millisecond would be over before the step is due.
      cancel = options.timer(Math.ceil(step.due - now), () => {
        cancel = undefined
        advance()
      })
    }
    options.onMoved()
  }

  return {
    push: (packet, run) => {
      const wait = options.hold(packet)
      if (wait <= 0 && steps.length === 0) {
        run()
        return
      }
      steps.push({ bytes: packet.bytes, due: options.now() + wait, run })
      held += packet.bytes
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
