import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Scheduler } from "effect"
import { ExitFrame, mode } from "../src/internal/exitFrame.ts"
import { choose, works } from "../src/internal/exitFrameTrial.ts"
import { yieldAt } from "./support/interrupts.ts"

type Work = Effect.Effect<number, string>

class Heard extends ExitFrame<number, string, never> {
  begins = 0
  readonly heard: Array<Exit.Exit<number, string>> = []
  private readonly work: Work
  private readonly after: () => Effect.Effect<void> | undefined

  constructor(work: Work, after: () => Effect.Effect<void> | undefined = () => undefined) {
    super()
    this.work = work
    this.after = after
  }

  protected override begin() {
    this.begins++
    return this.work
  }

  protected override ended(exit: Exit.Exit<number, string>) {
    this.heard.push(exit)
    return this.after()
  }
}

/** Of one operation and of several, with a wait between them and without. */
const endings: ReadonlyArray<readonly [Work, Exit.Exit<number, string>]> = [
  [Effect.succeed(1), Exit.succeed(1)],
  [Effect.sync(() => 1), Exit.succeed(1)],
  [Effect.as(Effect.yieldNow, 1), Exit.succeed(1)],
  [Effect.fail("failed"), Exit.fail("failed")],
  [Effect.andThen(Effect.yieldNow, Effect.fail("failed")), Exit.fail("failed")],
  [Effect.die("died"), Exit.die("died")]
]

for (const native of [true, false]) {
  describe(`exit frames, ${native ? "by the parts of fibers that are not public" : "by what is public"}`, () => {
    beforeEach(() => void (mode.native = native))
    afterEach(() => void (mode.native = true))

    it("work on the Effect that is installed", () => assert.isTrue(works()))

    it.live("hear each end once, and leave it as it is", () =>
      Effect.gen(function*() {
        for (const [work, expected] of endings) {
          const frame = new Heard(work)
          assert.deepStrictEqual(yield* Effect.exit(frame), expected)
          assert.deepStrictEqual(frame.heard, [expected])
        }
      }))

    it.live("hear of what is thrown when the work begins", () =>
      Effect.gen(function*() {
        const thrown = new Error("thrown")
        const frame = new Heard(Effect.suspend(() => {
          throw thrown
        }))
        assert.deepStrictEqual(yield* Effect.exit(frame), Exit.die(thrown))
        assert.deepStrictEqual(frame.heard, [Exit.die(thrown)])
      }))

    it.live("run what is given back before the end goes on, also where it is an interruption", () =>
      Effect.gen(function*() {
        for (const [work, expected] of endings) {
          let ran = 0
          const frame = new Heard(work, () => Effect.andThen(Effect.yieldNow, Effect.sync(() => void ran++)))
          const soon = Effect.tap(frame, () => Effect.sync(() => assert.strictEqual(ran, 1)))
          assert.deepStrictEqual(yield* Effect.exit(soon), expected)
          assert.strictEqual(ran, 1)
        }
        let ran = 0
        const frame = new Heard(Effect.never, () => Effect.andThen(Effect.yieldNow, Effect.sync(() => void ran++)))
        const fiber = yield* Effect.forkChild(frame, { startImmediately: true })
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(ran, 1)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      }))

    it.live("fail with what was thrown when the end was heard", () =>
      Effect.gen(function*() {
        for (const [work] of endings) {
          const exit = yield* Effect.exit(
            new Heard(work, () => {
              throw new Error("thrown")
            })
          )
          assert.isTrue(Exit.hasDies(exit))
        }
      }))

    it.live("keep a typed failure that meets an interruption, as Effect's own finalizers do", () =>
      Effect.gen(function*() {
        const exits = []
        for (const framed of [true, false]) {
          const work: Work = Effect.uninterruptible(Effect.andThen(Effect.sleep(5), Effect.fail("failed")))
          const around = framed ? new Heard(work) : Effect.onExit(work, () => Effect.void)
          const fiber = yield* Effect.forkChild(around, { startImmediately: true })
          yield* Fiber.interrupt(fiber)
          const exit = yield* Fiber.await(fiber)
          exits.push(Exit.isFailure(exit) ? exit.cause.reasons.map(({ _tag }) => _tag) : [])
        }
        assert.deepStrictEqual(exits[0], exits[1])
      }))

    it.live("run what is given back, and keep a failure, wherever an interruption lands once an end was heard", () =>
      Effect.gen(function*() {
        for (const [work] of endings) {
          for (let at = 0; at < 24; at++) {
            let ran = 0
            const inner = new Heard(work, () => Effect.sync(() => void ran++))
            const outer = new Heard(Effect.andThen(Effect.void, inner))
            const fiber = Effect.runForkWith(Context.make(Scheduler.Scheduler, yieldAt(at)))(outer)
            fiber.interruptUnsafe()
            yield* Fiber.await(fiber)
            assert.strictEqual(ran, inner.heard.length, `${String(work)} at ${at}`)
            const [told] = inner.heard
            const [passedOn] = outer.heard
            if (told === undefined || passedOn === undefined || Exit.isSuccess(told)) continue
            const kept = Exit.isFailure(passedOn) ? passedOn.cause.reasons : []
            assert.includeDeepMembers([...kept], [...told.cause.reasons], `${String(work)} at ${at}`)
          }
        }
      }))

    it.live("run what is given back, and keep a failure, also where the fiber is interrupted while it hears the end", () =>
      Effect.gen(function*() {
        for (const [work, expected] of endings) {
          let ran = 0
          const inner = new Heard(work, () => {
            Fiber.getCurrent()?.interruptUnsafe()
            return Effect.sync(() => void ran++)
          })
          const fiber = Effect.runFork(inner)
          const exit = yield* Fiber.await(fiber)
          assert.strictEqual(ran, 1)
          assert.isTrue(Exit.hasInterrupts(exit))
          assert.strictEqual(Exit.hasFails(exit), Exit.hasFails(expected))
          assert.strictEqual(Exit.hasDies(exit), Exit.hasDies(expected))
        }
      }))

    it.live("hear once wherever an interruption lands, within others and around them", () =>
      Effect.gen(function*() {
        for (let at = 0; at < 24; at++) {
          const inner = new Heard(Effect.andThen(Effect.yieldNow, Effect.succeed(1)), () => Effect.void)
          const outer = new Heard(Effect.andThen(Effect.void, inner))
          const context = Context.make(Scheduler.Scheduler, yieldAt(at))
          const fiber = Effect.runForkWith(context)(outer)
          fiber.interruptUnsafe()
          const exit = yield* Fiber.await(fiber)
          for (const { begins, heard } of [inner, outer]) {
            assert.isAtMost(heard.length, 1, `at ${at}`)
            assert.isAtLeast(heard.length, begins, `at ${at}`)
          }
          if (outer.begins === 1 && Exit.isFailure(exit)) assert.isTrue(Cause.hasInterrupts(exit.cause), `at ${at}`)
        }
      }))
  })
}

describe("the choice of exit frames", () => {
  it("is the native ones on the Effect that is installed", () => {
    choose()
    assert.isTrue(mode.native)
  })

  it("turns down those that do not hear, hear late or twice, or lose what is given back", () => {
    const proto = ExitFrame.prototype as unknown as Record<string, unknown>
    const broken: ReadonlyArray<readonly [key: string, part: unknown]> = [
      ["~effect/Effect/evaluate", function(this: { begin(): unknown }) {
        return this.begin()
      }],
      ["~effect/Effect/evaluate", () => {
        throw new TypeError("fiber._stack is undefined")
      }],
      ["~effect/Effect/ensureCont", undefined],
      ["~effect/Effect/successCont", undefined],
      ["~effect/Effect/failureCont", undefined],
      ["hear", () => undefined]
    ]
    for (const [key, part] of broken) {
      const whole = proto[key]
      proto[key] = part
      try {
        assert.isFalse(works(), key)
      } finally {
        proto[key] = whole
      }
    }
    assert.isTrue(works())
  })
})
