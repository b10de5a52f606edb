/**
 * Tries frames out on the fibers of the Effect at hand, and chooses by that: another version of Effect may be made
 * otherwise inside, and a frame that does not end is a connection lost.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { Frame, type Frames, native, portable } from "./frame.ts"

type Work = Effect.Effect<string, string>
type Ending = Exit.Exit<string, string> | undefined

/** Does its work at once, or when it is called, and replaces its failure. */
class Trial extends Frame<string, string, never> {
  ends = 0
  private begins = 0
  private readonly frames: Frames
  private readonly work: Work
  private readonly waits: boolean

  constructor(frames: Frames, work: Work, waits: boolean) {
    super(Fiber.getCurrent()!) // it is made inside an effect
    this.frames = frames
    this.work = work
    this.waits = waits
  }

  override asEffect(): Work {
    return this.waits && this.begins++ === 0 ? this.frames.suspend(this) : this.work
  }

  protected override end() {
    this.ends++
    return () => Effect.fail("replaced")
  }
}

/** How a trial ends that `act` is done to once it waits, or that does not wait; undefined if it does not, or not once. */
const tried = (
  frames: Frames,
  work: Work,
  act?: (trial: Trial, fiber: Fiber.Fiber<string, string>) => void
): Ending => {
  let trial: Trial | undefined
  const fiber = Effect.runFork(Effect.suspend(() => frames.run(trial = new Trial(frames, work, act !== undefined))))
  if (trial === undefined || (act !== undefined && trial.ends > 0)) return undefined
  act?.(trial, fiber)
  return trial.ends === 1 ? fiber.pollUnsafe() : undefined
}

const succeeded = (ending: Ending) => ending !== undefined && Exit.isSuccess(ending) && ending.value === "done"
const replaced = (ending: Ending) =>
  ending !== undefined && Exit.isFailure(ending) && Cause.squash(ending.cause) === "replaced"
const interrupted = (ending: Ending) => ending !== undefined && Exit.hasInterrupts(ending)

const throws = Effect.suspend((): Work => {
  throw new Error("thrown")
})

/** Whether they end once, however the work goes, and wait for as long as they should. */
export const works = (frames: Frames): boolean => {
  const resume = (trial: Trial) => frames.resume(trial)
  try {
    return succeeded(tried(frames, Effect.succeed("done"))) &&
      replaced(tried(frames, Effect.fail("failed"))) &&
      replaced(tried(frames, throws)) &&
      succeeded(tried(frames, Effect.succeed("done"), resume)) &&
      replaced(tried(frames, Effect.fail("failed"), resume)) &&
      interrupted(tried(frames, Effect.never, (_, fiber) => fiber.interruptUnsafe())) &&
      interrupted(tried(frames, Effect.never, (trial, fiber) => {
        resume(trial)
        fiber.interruptUnsafe()
      }))
  } catch {
    return false
  }
}

let chosen: Frames | undefined

/** The cheapest that work. */
export const bestFrames = (): Frames => chosen ??= works(native) ? native : portable
