import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Scheduler } from "effect"
import { Frame, type Frames, native, portable } from "../src/internal/frame.ts"
import { bestFrames, works } from "../src/internal/frameTrial.ts"
import { yieldAt } from "./support/interrupts.ts"

/** Counts, and waits once if it is told to. */
class Counted extends Frame<number, string, never> {
  begins = 0
  ends = 0
  readonly frames: Frames
  readonly work: Effect.Effect<number, string>
  readonly waits: boolean
  readonly replaces: boolean

  constructor(frames: Frames, work: Effect.Effect<number, string>, waits: boolean, replaces: boolean) {
    super(Fiber.getCurrent()!)
    this.frames = frames
    this.work = work
    this.waits = waits
    this.replaces = replaces
  }

  override asEffect(): Effect.Effect<number, string> {
    return ++this.begins === 1 && this.waits ? this.frames.suspend(this) : this.work
  }

  protected override end() {
    this.ends++
    return this.replaces ? () => Effect.fail("replaced") : undefined
  }
}

interface Setting {
  readonly frames: Frames
  readonly waits?: boolean
  readonly replaces?: boolean
  readonly scheduler?: Scheduler.Scheduler
}

const begin = (work: Effect.Effect<number, string>, { frames, replaces, scheduler, waits }: Setting) => {
  let frame: Counted | undefined
  const run = Effect.suspend(() => frames.run(frame = new Counted(frames, work, waits ?? false, replaces ?? false)))
  const context = scheduler === undefined ? Context.empty() : Context.make(Scheduler.Scheduler, scheduler)
  const fiber = Effect.runForkWith(context)(run)
  return { fiber, frame: () => frame }
}

const errorOf = (exit: Exit.Exit<unknown, unknown>) => Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

for (const [name, which] of [["native", native], ["portable", portable]] as const) {
  describe(`${name} frames`, () => {
    it("end once when the work succeeds, fails, dies or throws, and leave its exit alone", () => {
      const thrown = Effect.suspend((): Effect.Effect<number> => {
        throw new Error("thrown")
      })
      const exits = [Effect.succeed(1), Effect.fail("failed"), Effect.die("died"), thrown].map((work) => {
        const { fiber, frame } = begin(work, { frames: which })
        assert.strictEqual(frame()?.ends, 1)
        return fiber.pollUnsafe()!
      })
      assert.deepStrictEqual(exits.slice(0, 3), [Exit.succeed(1), Exit.fail("failed"), Exit.die("died")])
      assert.strictEqual(String(errorOf(exits[3]!)), "Error: thrown")
    })

    it("replace a failure where they say so, and no success", () => {
      const failed = begin(Effect.fail("failed"), { frames: which, replaces: true })
      assert.deepStrictEqual(failed.fiber.pollUnsafe(), Exit.fail("replaced"))
      const succeeded = begin(Effect.succeed(1), { frames: which, replaces: true })
      assert.deepStrictEqual(succeeded.fiber.pollUnsafe(), Exit.succeed(1))
    })

    it("wait until they are called, once", () => {
      const { fiber, frame } = begin(Effect.succeed(1), { frames: which, waits: true })
      assert.deepStrictEqual([frame()?.begins, frame()?.ends, frame()?.isWaiting], [1, 0, true])
      which.resume(frame()!)
      which.resume(frame()!)
      assert.deepStrictEqual([frame()?.begins, frame()?.ends, frame()?.isWaiting], [2, 1, false])
      assert.deepStrictEqual(fiber.pollUnsafe(), Exit.succeed(1))
    })

    it("end at once when they are interrupted while they wait, and cannot be called any more", () => {
      const { fiber, frame } = begin(Effect.succeed(1), { frames: which, waits: true, replaces: true })
      fiber.interruptUnsafe()
      assert.isTrue(Exit.hasInterrupts(fiber.pollUnsafe()!))
      which.resume(frame()!)
      assert.deepStrictEqual([frame()?.begins, frame()?.ends], [1, 1])
    })

    it.live("end once wherever an interruption lands, and whether they were called before or not", () =>
      Effect.gen(function*() {
        for (let at = 0; at < 16; at++) {
          for (const called of ["never", "before", "after"]) {
            const work = Effect.andThen(Effect.succeed(0), Effect.succeed(1))
            const { fiber, frame } = begin(work, { frames: which, waits: true, scheduler: yieldAt(at) })
            const made = frame()
            if (called === "before" && made !== undefined) which.resume(made)
            fiber.interruptUnsafe()
            if (called === "after" && made !== undefined) which.resume(made)
            const exit = yield* Fiber.await(fiber)
            if (called !== "before") assert.isTrue(Exit.hasInterrupts(exit))
            if (made !== undefined && made.begins > 0) assert.strictEqual(made.ends, 1)
          }
        }
      }))

    it("work on the Effect that is installed", () => assert.isTrue(works(which)))
  })
}

describe("the choice of frames", () => {
  it("is the native ones on the Effect that is installed", () => assert.strictEqual(bestFrames(), native))

  it("turns down those that do not end, end late, do not wait or do not replace", () => {
    const broken: ReadonlyArray<Frames> = [
      { ...native, run: (frame) => frame.asEffect() },
      { ...native, run: (frame) => Effect.suspend(() => frame.asEffect()) },
      { ...native, suspend: (frame) => frame.asEffect() },
      { ...native, suspend: () => Effect.never },
      { ...native, resume: () => {} },
      { ...portable, run: (frame) => Effect.onExitPrimitive(frame, () => void frame.finish()) },
      {
        ...native,
        run: () => {
          throw new TypeError("fiber._stack is undefined")
        }
      }
    ]
    assert.deepStrictEqual(broken.map(works), broken.map(() => false))
  })
})
