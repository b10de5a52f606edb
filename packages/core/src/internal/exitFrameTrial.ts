/**
 * Tries exit frames out on the fibers of the Effect at hand, and chooses by that: another version of Effect may be made
 * otherwise inside, and a frame that does not hear of an end is a permit lost.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { ExitFrame, mode } from "./exitFrame.ts"

type Work = Effect.Effect<string, string>
type Ending = Exit.Exit<string, string>

class Trial extends ExitFrame<string, string, never> {
  readonly heard: Array<Ending> = []
  private readonly work: Work
  private readonly after: Effect.Effect<void> | undefined

  constructor(work: Work, after: Effect.Effect<void> | undefined) {
    super()
    this.work = work
    this.after = after
  }

  protected override begin(fiber: Fiber.Fiber<unknown, unknown>) {
    return fiber.context === undefined ? Effect.die("no fiber") : this.work
  }

  protected override ended(exit: Ending) {
    this.heard.push(exit)
    return this.after
  }
}

/** What the frame heard and what came of it, where it was heard once. */
const tried = (
  work: Work,
  act?: (fiber: Fiber.Fiber<string, string>) => void,
  after?: Effect.Effect<void>
): readonly [heard: Ending, came: Ending] | undefined => {
  const trial = new Trial(work, after)
  const fiber = Effect.runFork(Effect.suspend(() => trial))
  if (act !== undefined && trial.heard.length > 0) return undefined
  act?.(fiber)
  const [heard] = trial.heard
  const came = fiber.pollUnsafe()
  return heard === undefined || came === undefined || trial.heard.length > 1 ? undefined : [heard, came]
}

type Tried = ReturnType<typeof tried>

const squashed = (exit: Ending) => Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit.value

const both = (endings: Tried, expected: unknown): boolean =>
  endings?.every((exit) => squashed(exit) === expected) === true

const interrupted = (endings: Tried): boolean => endings?.every((exit) => Exit.hasInterrupts(exit)) === true

const defect = new Error("thrown")

const throws = Effect.suspend((): Work => {
  throw defect
})

/** Whether the end is heard once, however the work goes, and what is given back is run, also under an interruption. */
export const works = (): boolean => {
  const interrupt = (fiber: Fiber.Fiber<string, string>) => fiber.interruptUnsafe()
  let runs = 0
  const counted = Effect.andThen(Effect.void, Effect.sync(() => void runs++))
  try {
    return both(tried(Effect.succeed("done")), "done") &&
      both(tried(Effect.sync(() => "done"), undefined, counted), "done") &&
      both(tried(Effect.fail("failed"), undefined, counted), "failed") &&
      both(tried(throws), defect) &&
      interrupted(tried(Effect.never, interrupt, counted)) &&
      runs === 3
  } catch {
    return false
  }
}

let chosen = false

/** Has frames use the parts of fibers that are not public, if they work. */
export const choose = (): void => {
  if (chosen) return
  chosen = mode.native = true
  mode.native = works()
}
