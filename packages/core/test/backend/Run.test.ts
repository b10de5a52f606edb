import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as Backends from "../../src/backend/Backends.ts"
import * as Lifecycle from "../../src/backend/Lifecycle.ts"
import { fakeBackend } from "./fakeBackend.ts"

/** Where the signals of a process come from, and how many listen to them. */
class FakeProcess {
  private readonly listeners = new Set<readonly [Lifecycle.Signal, () => void]>()

  on(signal: Lifecycle.Signal, listener: () => void): void {
    this.listeners.add([signal, listener])
  }

  off(signal: Lifecycle.Signal, listener: () => void): void {
    for (const entry of this.listeners) if (entry[0] === signal && entry[1] === listener) this.listeners.delete(entry)
  }

  get listening(): number {
    return this.listeners.size
  }

  readonly signal = (name: Lifecycle.Signal): Effect.Effect<void> =>
    Effect.sync(() => {
      for (const [signal, listener] of this.listeners) if (signal === name) listener()
    })
}

const finalizer = (effect: Effect.Effect<unknown>) => Layer.effectDiscard(Effect.addFinalizer(() => effect))

const LIMITS = { grace: "1 second", deadline: "10 seconds", margin: "2 seconds" } as const

/** A layer that runs as a process: inside of it the backends, outside what serves. */
const running = Effect.fnUntraced(function*<E = never>(parts: {
  readonly inside?: Layer.Layer<never, E>
  readonly outside?: Layer.Layer<never, E>
  readonly start?: Lifecycle.StartOptions
}) {
  const { inside = Layer.empty, outside = Layer.empty, start } = parts
  const process = new FakeProcess()
  const layer = outside.pipe(Layer.provideMerge(Lifecycle.layer(start)), Layer.provideMerge(inside))
  const code = yield* Effect.forkChild(Lifecycle.run(layer, process, LIMITS))
  yield* TestClock.adjust(0)
  return {
    signal: (name: Lifecycle.Signal) => Effect.andThen(process.signal(name), TestClock.adjust(0)),
    isOver: Effect.sync(() => code.pollUnsafe() !== undefined),
    code: Effect.map(Fiber.join(code), (number) => {
      assert.strictEqual(process.listening, 0)
      return number
    })
  }
})

const holder = { age: Duration.seconds(9), label: "orders.report", site: undefined }

const backend = (parts: Parameters<typeof fakeBackend>[1]) =>
  Layer.effectDiscard(Effect.flatMap(fakeBackend("orders", parts), Backends.register))

describe("a layer that runs as a process", () => {
  it.effect("runs until a signal, ends from the outside in after the grace, and exits with 0", () =>
    Backends.isolated(Effect.gen(function*() {
      const ended: Array<string> = []
      const end = (name: string) => finalizer(Effect.sync(() => ended.push(name)))
      const { code, isOver, signal } = yield* running({ inside: end("backends"), outside: end("server") })
      yield* TestClock.adjust("1 hour")
      assert.isFalse(yield* isOver)
      yield* signal("SIGTERM")
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(ended, [])
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* code, 0)
      assert.deepStrictEqual(ended, ["server", "backends"])
    })))

  it.effect("exits with 1 where it cannot start, after the end of what had started", () =>
    Backends.isolated(Effect.gen(function*() {
      const ended = yield* Deferred.make<void>()
      const { code } = yield* running({
        inside: finalizer(Deferred.succeed(ended, undefined)),
        outside: Layer.effectDiscard(Effect.fail("the port is taken"))
      })
      assert.strictEqual(yield* code, 1)
      assert.isDefined(ended.effect)
    })))

  it.effect("exits with 1 where a finalizer fails", () =>
    Backends.isolated(Effect.gen(function*() {
      const { code, signal } = yield* running({ inside: finalizer(Effect.die("a bug")) })
      yield* signal("SIGINT")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* code, 1)
    })))

  for (const where of ["inside", "outside"] as const) {
    it.effect(`exits with 124 at the deadline, though a finalizer hangs ${where} and cannot be interrupted`, () =>
      Backends.isolated(Effect.gen(function*() {
        const { code, isOver, signal } = yield* running({ [where]: finalizer(Effect.never) })
        yield* signal("SIGTERM")
        yield* TestClock.adjust("9999 millis")
        assert.isFalse(yield* isOver)
        yield* TestClock.adjust("501 millis")
        assert.strictEqual(yield* code, 124)
      })))
  }

  for (const where of ["inside", "outside"] as const) {
    it.effect(`says the name of what hangs ${where}, and says of what has none how to give it one`, () =>
      Backends.isolated(Effect.gen(function*() {
        const lastWords = Effect.fnUntraced(function*(hanging: Layer.Layer<never>) {
          const said: Array<string> = []
          const logger = Logger.make<unknown, void>(({ message }) => void said.push([message].flat().join(" ")))
          const { code, signal } = yield* running({ [where]: hanging }).pipe(Effect.provide(Logger.layer([logger])))
          yield* signal("SIGTERM")
          yield* TestClock.adjust("11 seconds")
          assert.strictEqual(yield* code, 124)
          return said
        })
        const named = yield* lastWords(finalizer(Effect.never).pipe(Lifecycle.named("feed pump")))
        const what = where === "inside" ? "not ended" : "what stands outside of the backends has not ended"
        assert.includeMembers(named, [
          `stopped after 10s; not everything could finish: ${what}: "feed pump"`,
          "The process ends without what has not ended: \"feed pump\"."
        ])
        assert.isTrue((yield* lastWords(finalizer(Effect.never))).some((line) => line.includes("Lifecycle.named")))
      })))
  }

  for (const where of ["inside", "outside"] as const) {
    it.effect(`says the name of what is still being built ${where} and cannot be interrupted`, () =>
      Backends.isolated(Effect.gen(function*() {
        const said: Array<string> = []
        const logger = Logger.make<unknown, void>(({ message }) => void said.push([message].flat().join(" ")))
        const there = Layer.empty.pipe(Lifecycle.named("is there"))
        const migration = Layer.effectDiscard(Effect.uninterruptible(Effect.never)).pipe(Lifecycle.named("migration"))
        const { code, signal } = yield* running({ [where]: Layer.provide(migration, there) }).pipe(
          Effect.provide(Logger.layer([logger]))
        )
        yield* signal("SIGTERM")
        yield* TestClock.adjust("11 seconds")
        assert.strictEqual(yield* code, 124)
        assert.include(said, "The process ends without what has not ended: \"migration\".")
      })))
  }

  it.effect("exits with 124 where work was cut, as soon as that has ended", () =>
    Backends.isolated(Effect.gen(function*() {
      const drain = () => Effect.sync(() => ({ took: Duration.seconds(8), cut: [holder], leftOpen: 0 }))
      const { code, signal } = yield* running({ inside: backend({ drain }) })
      yield* signal("SIGTERM")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* code, 124)
    })))

  for (const [second, expected] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
    it.effect(`exits with ${expected} after a second signal, ${second}, within the margin, whatever hangs`, () =>
      Backends.isolated(Effect.gen(function*() {
        const { code, isOver, signal } = yield* running({ outside: finalizer(Effect.never) })
        yield* signal("SIGTERM")
        yield* TestClock.adjust("1500 millis")
        yield* signal(second)
        yield* TestClock.adjust("1999 millis")
        assert.isFalse(yield* isOver)
        yield* TestClock.adjust("501 millis")
        assert.strictEqual(yield* code, expected)
      })))
  }

  it.effect("a second signal ends the grace", () =>
    Backends.isolated(Effect.gen(function*() {
      const { code, signal } = yield* running({})
      yield* signal("SIGINT")
      yield* signal("SIGINT")
      assert.strictEqual(yield* code, 130)
    })))

  it.effect("ends by a signal while it starts, too", () =>
    Backends.isolated(Effect.gen(function*() {
      const ended = yield* Deferred.make<void>()
      const { code, signal } = yield* running({
        inside: finalizer(Deferred.succeed(ended, undefined)),
        outside: Layer.effectDiscard(Effect.never)
      })
      yield* signal("SIGTERM")
      assert.strictEqual(yield* code, 0)
      assert.isDefined(ended.effect)
    })))

  it.effect("ends a start that cannot be interrupted at the deadline", () =>
    Backends.isolated(Effect.gen(function*() {
      const { code, signal } = yield* running({ outside: Layer.effectDiscard(Effect.uninterruptible(Effect.never)) })
      yield* signal("SIGTERM")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* code, 124)
    })))
})
