import { assert, describe, it } from "@effect/vitest"
import { Data, Deferred, Duration, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Backends from "../../src/backend/Backends.ts"
import { Lifecycle } from "../../src/backend/Lifecycle.ts"
import * as Lifecycles from "../../src/backend/Lifecycle.ts"
import * as Pool from "../../src/pool/Pool.ts"
import { PoolError } from "../../src/pool/PoolError.ts"
import { fakeBackend } from "./fakeBackend.ts"

class Cut extends Data.TaggedError("Cut") {}

const cold = new PoolError({ reason: { _tag: "Unavailable", pool: "orders", failedDials: 1, cause: "refused" } })

const backendLayer = (parts?: Parameters<typeof fakeBackend>[1]) =>
  Layer.effectDiscard(Effect.flatMap(fakeBackend("orders", parts), Backends.register))

/** Builds the layers in a scope of their own, which the test ends. */
const process = <E, E2 = never>(
  backends: Layer.Layer<never, E>,
  start?: Lifecycles.StartOptions<E2>,
  end?: Lifecycles.DrainOptions
) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const layer = Lifecycles.layerDraining(end).pipe(
      Layer.provideMerge(Lifecycles.layer(start)),
      Layer.provideMerge(backends)
    )
    const context = yield* Layer.buildWithScope(layer, scope)
    const lifecycle = yield* Effect.provideContext(Lifecycle, context)
    return { lifecycle, scope, end: Scope.close(scope, Exit.void) }
  })

describe("the lifecycle", () => {
  it.effect("is ready when the critical backends are warm, however long that takes, and the others had their try", () =>
    Backends.isolated(Effect.gen(function*() {
      let warm = false
      const backends = Layer.merge(
        backendLayer({ warm: Effect.suspend(() => warm ? Effect.void : Effect.fail(cold)) }),
        backendLayer({ critical: false, warm: Effect.die("it does not get warm, and nobody needs it") })
      )
      const { end, lifecycle } = yield* process(backends)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* lifecycle.phase, "starting")
      warm = true
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* lifecycle.phase, "ready")
      yield* Effect.andThen(Effect.forkChild(end), TestClock.adjust("1 second"))
    })))

  it.effect("waits for a backend that is not critical no longer than it may take", () =>
    Backends.isolated(Effect.gen(function*() {
      const backends = Layer.merge(backendLayer(), backendLayer({ critical: false, warm: Effect.never }))
      const { end, lifecycle } = yield* process(backends, { within: "3 seconds" })
      yield* TestClock.adjust("2999 millis")
      assert.strictEqual(yield* lifecycle.phase, "starting")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* lifecycle.phase, "ready")
      yield* Effect.andThen(Effect.forkChild(end), TestClock.adjust("1 second"))
    })))

  it.effect("goes on without a cold critical backend, when told so, but never unprepared", () =>
    Backends.isolated(Effect.gen(function*() {
      let prepared = false
      const { end, lifecycle } = yield* process(backendLayer({ warm: Effect.fail(cold) }), {
        start: "degraded",
        within: "3 seconds",
        prepare: Effect.suspend(() => prepared ? Effect.void : Effect.fail("no tables"))
      })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* lifecycle.phase, "starting")
      prepared = true
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* lifecycle.phase, "ready")
      yield* Effect.andThen(Effect.forkChild(end), TestClock.adjust("1 second"))
    })))

  it.effect("fails to start, when told so, once the time is over, and names who is cold", () =>
    Backends.isolated(Effect.gen(function*() {
      const starting = yield* Effect.forkChild(
        Effect.flip(process(backendLayer({ warm: Effect.never }), { start: "fail-fast", within: "3 seconds" }))
      )
      yield* TestClock.adjust("2999 millis")
      assert.isUndefined(starting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(starting)
      assert.propertyVal(error, "message", "Not ready within 3s; cold: orders.")
    })))

  it.effect("has no grace where it never was ready", () =>
    Backends.isolated(Effect.gen(function*() {
      const { end, lifecycle } = yield* process(backendLayer({ warm: Effect.fail(cold) }))
      yield* end
      assert.strictEqual(Duration.toMillis((yield* lifecycle.report).took), 0)
    })))

  it.effect("fails to start, when told so, with what the cold backend failed with", () =>
    Backends.isolated(Effect.gen(function*() {
      const error = yield* Effect.flip(process(backendLayer({ warm: Effect.fail(cold) }), { start: "fail-fast" }))
      assert.strictEqual(error, cold)
    })))

  it.effect("prepares once the backends are warm, again until that succeeds, and is ready only then", () =>
    Backends.isolated(Effect.gen(function*() {
      const done: Array<string> = []
      const warm = Effect.sync(() => done.push("warm"))
      const prepare = Effect.suspend(() =>
        done.push("prepare") < 4 ? Effect.fail("the database is locked") : Effect.void
      )
      const { end, lifecycle } = yield* process(backendLayer({ warm: Effect.asVoid(warm) }), { prepare })
      yield* TestClock.adjust("499 millis")
      assert.deepStrictEqual(done, ["warm", "prepare"])
      assert.strictEqual(yield* lifecycle.phase, "starting")
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(done, ["warm", "prepare", "warm", "prepare"])
      assert.strictEqual(yield* lifecycle.phase, "ready")
      yield* Effect.andThen(Effect.forkChild(end), TestClock.adjust("1 second"))
    })))

  it.effect("fails to start, when told so, with what its preparation failed with", () =>
    Backends.isolated(Effect.gen(function*() {
      const prepare = Effect.fail("no such schema" as const)
      const error = yield* Effect.flip(process(backendLayer(), { start: "fail-fast", prepare }))
      assert.strictEqual(error, "no such schema")
    })))

  it.effect("drains with the grace before anything inside ends, and tells every phase", () =>
    Backends.isolated(Effect.gen(function*() {
      const ended = yield* Deferred.make<void>()
      const inside = Layer.effectDiscard(Effect.addFinalizer(() => Deferred.succeed(ended, undefined)))
      const { end, lifecycle } = yield* process(Layer.merge(backendLayer(), inside), undefined, { grace: "2 seconds" })
      const phases = yield* Effect.forkChild(
        Stream.runCollect(Stream.takeUntil(lifecycle.changes, (phase) => phase === "stopped")),
        { startImmediately: true }
      )
      yield* Effect.yieldNow
      const ending = yield* Effect.forkChild(end)
      yield* TestClock.adjust("1999 millis")
      assert.strictEqual(yield* lifecycle.phase, "draining")
      assert.isUndefined(ended.effect)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(ending)
      assert.strictEqual(yield* lifecycle.phase, "stopped")
      assert.deepStrictEqual((yield* Fiber.join(phases)).slice(-3), ["ready", "draining", "stopped"])
    })))

  for (const forced of [false, true]) {
    it.effect(`cuts what hangs ${forced ? "at once when it is forced" : "at the margin of the deadline"}`, () =>
      Backends.isolated(Effect.gen(function*() {
        const closed = yield* Deferred.make<void>()
        const backend = Effect.gen(function*() {
          const pool = yield* Pool.make({
            name: "orders",
            acquire: Effect.acquireRelease(Effect.succeed(1), () => Deferred.succeed(closed, undefined)),
            size: { max: 1 }
          })
          yield* Effect.flatMap(
            fakeBackend("orders", { drain: (deadline) => Pool.drain(pool, deadline), events: Pool.events(pool) }),
            Backends.register
          )
          // A statement that ends only when its connection does.
          const statement = Effect.andThen(Deferred.await(closed), Effect.fail(new Cut()))
          const work = Pool.use(pool, () => statement, { label: "orders.report" })
          const fiber = yield* Effect.forkDetach(Effect.exit(work), { startImmediately: true })
          // In flight: what serves it waits for it.
          yield* Effect.addFinalizer(() => Effect.asVoid(Fiber.await(fiber)))
        })
        const { end, lifecycle } = yield* process(Layer.effectDiscard(backend), undefined, {
          grace: "1 second",
          deadline: "5 seconds",
          margin: "1 second"
        })
        const ending = yield* Effect.forkChild(end)
        if (forced) {
          yield* TestClock.adjust("500 millis")
          yield* lifecycle.force
        } else {
          yield* TestClock.adjust("3999 millis")
          assert.isUndefined(ending.pollUnsafe())
          yield* TestClock.adjust("1 millis")
        }
        yield* TestClock.adjust(0) // the turns in which the connection closes and its work fails
        assert.isDefined(ending.pollUnsafe())
        yield* Fiber.join(ending)
        const report = yield* lifecycle.report
        assert.strictEqual(report.forced, forced)
        assert.isFalse(report.hung)
        assert.strictEqual(Duration.toMillis(report.took), forced ? 500 : 4000)
        assert.deepStrictEqual(
          report.backends.map(({ cut, hung, label }) => [label, hung, cut.map((holder) => holder.label)]),
          [
            ["orders", false, ["orders.report"]]
          ]
        )
      })))
  }

  it.effect("gives up at the deadline, and tells a drain that hangs from what hangs outside", () =>
    Backends.isolated(Effect.gen(function*() {
      const backends = backendLayer({ drain: () => Effect.never, events: Stream.never })
      const { lifecycle, scope } = yield* process(backends, undefined, { deadline: "5 seconds" })
      yield* Scope.addFinalizer(scope, Effect.never)
      const ending = yield* Effect.forkChild(
        Effect.andThen(lifecycle.drain({ deadline: "5 seconds" }), lifecycle.report)
      )
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual(yield* lifecycle.phase, "draining")
      yield* TestClock.adjust("1 millis")
      const { backends: [orders], hung } = yield* Fiber.join(ending)
      assert.isTrue(hung)
      assert.isTrue(orders?.hung)
      assert.strictEqual(yield* lifecycle.phase, "stopped")
    })))

  it.effect("waits for what has a name, and names what has not ended by the deadline, but not what waits for it", () =>
    Backends.isolated(Effect.gen(function*() {
      const slow = yield* Deferred.make<void>()
      const part = (name: string, end: Effect.Effect<void>) =>
        Layer.effectDiscard(Effect.addFinalizer(() => end)).pipe(Lifecycles.named(name))
      const inside = Layer.merge(part("hanging", Effect.never), part("slow", Deferred.await(slow))).pipe(
        Layer.provideMerge(part("waiting", Effect.void))
      )
      const { end, lifecycle } = yield* process(inside, undefined, { deadline: "5 seconds" })
      yield* Effect.forkDetach(end)
      yield* TestClock.adjust("4 seconds")
      yield* Deferred.succeed(slow, undefined)
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* lifecycle.phase, "draining")
      yield* TestClock.adjust("1 millis")
      const { hung, unfinished } = yield* lifecycle.report
      assert.deepStrictEqual([hung, unfinished], [false, ["hanging"]])
    })))

  it.effect("is over when what has a name has ended", () =>
    Backends.isolated(Effect.gen(function*() {
      const pump = Layer.effectDiscard(Effect.addFinalizer(() => Effect.sleep("2 seconds")))
      const { end, lifecycle } = yield* process(Lifecycles.named(pump, "feed pump"), undefined, {
        grace: "1 second",
        deadline: "5 seconds"
      })
      yield* Effect.forkChild(end)
      yield* TestClock.adjust("3 seconds")
      const { hung, took, unfinished } = yield* lifecycle.report
      assert.deepStrictEqual([hung, unfinished, Duration.toMillis(took)], [false, [], 3000])
    })))

  it.effect("tells what a backend has cut by a limit of its own", () =>
    Backends.isolated(Effect.gen(function*() {
      const backend = Effect.gen(function*() {
        const pool = yield* Pool.make({ name: "orders", acquire: Effect.succeed(1), size: { max: 1 } })
        yield* Effect.flatMap(
          fakeBackend("orders", { drain: (deadline) => Pool.drain(pool, deadline), events: Pool.events(pool) }),
          Backends.register
        )
        // Nobody ever gives it back.
        yield* Pool.get(pool, { label: "leaked" }).pipe(Scope.provide(yield* Scope.make()))
      })
      const { end, lifecycle } = yield* process(Layer.effectDiscard(backend), undefined, { deadline: "1 minute" })
      const ending = yield* Effect.forkChild(end)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(ending)
      const { backends, took } = yield* lifecycle.report
      assert.strictEqual(Duration.toMillis(took), 6000)
      assert.strictEqual(backends[0]?.cut[0]?.label, "leaked")
    })))

  it("refuses times that leave no room for each other", () => {
    assert.throws(() => Lifecycles.layerDraining({ grace: "8 seconds" }), RangeError, /grace.*less than the 8000 ms/)
    assert.throws(() => Lifecycles.layerDraining({ deadline: 100, margin: 100 }), RangeError, /margin/)
    assert.throws(() => Lifecycles.layer({ within: 0 }), RangeError, /within/)
  })
})
