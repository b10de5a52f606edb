import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Pool from "../../src/pool/Pool.ts"
import { isPoolError, type PoolError } from "../../src/pool/PoolError.ts"
import { type Connection, FakeServer } from "./fakeServer.ts"

const now = { startImmediately: true } as const

const makePool = (max: number, wait: Pool.Options<Connection, never, never>["wait"] = {}) =>
  Pool.make({ name: "p", acquire: new FakeServer().acquire, size: { max }, wait })

/** How a borrow failed; nothing if it was served. */
const reasonOf = <A, E>(borrow: Effect.Effect<A, E>) =>
  Effect.match(borrow, {
    onSuccess: () => undefined,
    onFailure: (error): PoolError["reason"] | undefined => isPoolError(error) ? error.reason : undefined
  })

const tagOf = <A, E>(borrow: Effect.Effect<A, E>) => Effect.map(reasonOf(borrow), (reason) => reason?._tag)

const insideUse = (pool: Pool.Pool<Connection>) => Pool.use(pool, () => Pool.use(pool, () => Effect.void))

const insideGet = (pool: Pool.Pool<Connection>) =>
  Effect.scoped(Effect.andThen(Pool.get(pool), Pool.use(pool, () => Effect.void)))

type Run = (inner: Effect.Effect<void, PoolError>) => Effect.Effect<unknown, unknown>

describe("nested borrows (behaviour 18)", () => {
  const shapes: Readonly<Record<string, Run>> = {
    "by the same fiber": (inner) => inner,
    "in a timeout": (inner) => Effect.timeout(inner, "1 hour"),
    "in a race": (inner) => Effect.raceFirst(inner, Effect.never),
    "in a parallel forEach": (inner) => Effect.forEach([1, 2], () => inner, { concurrency: "unbounded" }),
    "in a child": (inner) => Effect.flatMap(Effect.forkChild(inner), Fiber.join)
  }
  for (const [name, run] of Object.entries(shapes)) {
    it.effect(`fails at once, without a timer, on a pool of one: ${name}`, () =>
      Effect.gen(function*() {
        const pool = yield* makePool(1)
        const inner = Pool.use(pool, () => Effect.void)
        const reason = yield* reasonOf(Pool.use(pool, () => run(inner), { label: "outer" }))
        if (reason?._tag !== "NestedAcquire") return assert.fail(String(reason?._tag))
        assert.deepStrictEqual([reason.pool, reason.max, reason.nestedIn?.label], ["p", 1, "outer"])
        const stats = yield* Pool.stats(pool)
        assert.deepStrictEqual([stats.used, stats.waiting, stats.idle], [0, 0, 1])
        assert.isUndefined(yield* tagOf(inner)) // and the pool is as good as before
      }))
  }

  it.effect("says which lease it is nested in: label, site and age", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(1)
      const outer = Effect.fn("Orders.place")(() =>
        Pool.use(pool, () => Effect.delay(Pool.use(pool, () => Effect.void), "3 seconds"), { label: "place" })
      )
      const fiber = yield* Effect.forkChild(Effect.flip(outer()), now)
      yield* TestClock.adjust("3 seconds")
      const error = yield* Fiber.join(fiber)
      assert.isTrue(error.reason._tag === "NestedAcquire")
      if (error.reason._tag !== "NestedAcquire") return
      assert.deepStrictEqual(error.reason.nestedIn, {
        age: Duration.seconds(3),
        label: "place",
        site: "Orders.place"
      })
      assert.include(error.message, "3s old (place)")
      assert.deepStrictEqual(error.outcome, { _tag: "Ignored", sent: "no" })
    }))

  it.effect("of many that wait for one another only the newest fails, and the others go on", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(3)
      const nested = (label: string) =>
        Effect.forkChild(
          tagOf(Pool.use(pool, () => Effect.andThen(Effect.sleep("1 second"), Pool.use(pool, () => Effect.void)), {
            label
          })),
          now
        )
      const fibers = yield* Effect.forEach(["a", "b", "c"], nested)
      yield* TestClock.adjust("1 second")
      const ends = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(ends, [undefined, undefined, "NestedAcquire"])
      assert.strictEqual((yield* Pool.stats(pool)).nested, 1)
    }))

  it.effect("counts a lease once, however many wait inside it", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(2)
      const other = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("1 second")), now)
      const inner = Pool.use(pool, () => Effect.void)
      const both = yield* Effect.forkChild(
        tagOf(Pool.use(pool, () => Effect.all([inner, inner, inner], { concurrency: "unbounded" }))),
        now
      )
      yield* Effect.yieldNow
      assert.strictEqual((yield* Pool.stats(pool)).waiting, 3)
      yield* TestClock.adjust("1 second")
      assert.isUndefined(yield* Fiber.join(both))
      yield* Fiber.join(other)
    }))

  it.effect("waits while somebody who waits for nobody will give a connection back", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(2)
      yield* Effect.forkScoped(Pool.use(pool, () => Effect.sleep("5 seconds")), now)
      const nested = yield* Effect.forkChild(tagOf(Pool.use(pool, () => Pool.use(pool, () => Effect.void))), now)
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(yield* Fiber.join(nested))
    }))

  it.effect("counts every lease that it is nested in, not only the innermost", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(3)
      const deep = (levels: number): Effect.Effect<void, PoolError> =>
        Pool.use(pool, () => levels === 1 ? Effect.void : deep(levels - 1))
      assert.isUndefined(yield* tagOf(deep(3)))
      assert.strictEqual(yield* tagOf(deep(4)), "NestedAcquire")
    }))

  it.effect("does not take for nested what was left behind by a borrow that has ended", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(1)
      const left = yield* Pool.use(pool, () =>
        Effect.forkDetach(tagOf(Effect.andThen(Effect.sleep("1 second"), Pool.use(pool, () => Effect.void)))))
      const held = yield* Effect.forkChild(
        Pool.use(pool, () =>
          Effect.sleep("5 seconds")),
        now
      )
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(yield* Fiber.join(left))
      yield* Fiber.join(held)
    }))

  it.effect("forgets a lease that comes back while a child of its still waits", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(2)
      const inner = tagOf(Pool.use(pool, () => Effect.void))
      const first = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("1 second")), now)
      const left = yield* Pool.use(pool, () =>
        Effect.andThen(Effect.yieldNow, Effect.forkDetach(inner, now)).pipe(
          Effect.tap(() => Effect.sync(() => assert.isUndefined(first.pollUnsafe())))
        ))
      // Its connection went to the child at once. Were the lease still counted, the next borrow would complete a ring.
      assert.isUndefined(yield* Fiber.join(left))
      const nested = yield* Effect.forkChild(tagOf(Pool.use(pool, () => Pool.use(pool, () => Effect.void))), now)
      yield* TestClock.adjust("1 second")
      assert.isUndefined(yield* Fiber.join(nested))
      assert.strictEqual((yield* Pool.stats(pool)).nested, 0)
    }))

  for (const nested of ["deadlock", "fail"] as const) {
    it.effect(`does not count a lease that was cut (${nested})`, () =>
      Effect.gen(function*() {
        const pool = yield* makePool(1, { nested })
        const outer = yield* Effect.forkChild(
          tagOf(Pool.use(pool, () => Effect.delay(Pool.use(pool, () => Effect.void), "1 second"))),
          now
        )
        yield* Pool.clear(pool, { interrupt: true })
        yield* TestClock.adjust("1 second")
        // The work went on: it noticed nothing, because it never used its connection again.
        assert.isUndefined(yield* Fiber.join(outer))
      }))
  }

  it.effect("does not count the outer lease for what a lease inside it has left behind", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(2, { nested: "fail" })
      yield* Effect.scoped(Effect.all([Pool.get(pool), Pool.detached(Pool.get(pool))])) // both are open now
      const stranger = yield* Effect.forkChild(Effect.delay(Pool.use(pool, () => Effect.sleep("2 seconds")), 1), now)
      const late = tagOf(Effect.andThen(Effect.sleep("1 second"), Pool.use(pool, () => Effect.void)))
      const outer = yield* Effect.forkChild(
        Pool.use(pool, () =>
          Effect.flatMap(
            Pool.use(pool, () => Effect.forkDetach(late)),
            (left) => Effect.as(Effect.sleep("5 seconds"), left)
          )),
        now
      )
      yield* TestClock.adjust(1)
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(yield* Effect.flatMap(Fiber.join(outer), Fiber.join))
      yield* Fiber.join(stranger)
    }))

  it.effect("leaves the count as it was when the nested borrow is interrupted or times out", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(2, { timeout: "1 second" })
      const nest = Pool.use(pool, () => Pool.use(pool, () => Effect.void))
      yield* Effect.forkScoped(Pool.use(pool, () => Effect.sleep("10 seconds")), now)
      const timedOut = yield* Effect.forkChild(tagOf(nest), now)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(timedOut), "AcquireTimeout")
      const interrupted = yield* Effect.forkChild(nest, now)
      yield* Fiber.interrupt(interrupted)
      const third = yield* Effect.forkChild(tagOf(nest), now)
      assert.strictEqual((yield* Pool.stats(pool)).waiting, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(third), "AcquireTimeout")
      assert.strictEqual((yield* Pool.stats(pool)).nested, 0)
    }))

  it.effect("knows of the nesting through a borrow of another pool", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(1)
      const other = yield* makePool(1)
      const inner = Pool.use(pool, () => Effect.void)
      assert.strictEqual(yield* tagOf(Pool.use(pool, () => Pool.use(other, () => inner))), "NestedAcquire")
      // Inside the other pool only, it may wait.
      const stranger = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("1 second")), now)
      const waits = yield* Effect.forkChild(tagOf(Pool.use(other, () => inner)), now)
      yield* TestClock.adjust("1 second")
      assert.isUndefined(yield* Fiber.join(waits))
      yield* Fiber.join(stranger)
    }))

  it.effect("with \"fail\" refuses whatever nested borrow would wait, and no other", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(2, { nested: "fail" })
      const inner = Pool.use(pool, () => Effect.void)
      assert.strictEqual(yield* tagOf(Pool.use(pool, () => inner)), "NestedAcquire") // the second is not open yet
      yield* Effect.scoped(Effect.all([Pool.get(pool), Pool.detached(Pool.get(pool))]))
      assert.isUndefined(yield* tagOf(Pool.use(pool, () => inner)))
      const held = yield* Effect.forEach([1, 2], () =>
        Effect.forkChild(Pool.use(pool, () => Effect.sleep("1 second")), now))
      const plain = yield* Effect.forkChild(tagOf(inner), now)
      yield* TestClock.adjust("1 second")
      assert.isUndefined(yield* Fiber.join(plain))
      yield* Fiber.joinAll(held)
    }))

  const outers: Readonly<Record<string, typeof insideUse>> = { use: insideUse, get: insideGet }
  for (const [outer, inside] of Object.entries(outers)) {
    it.effect(`with "allow" is ended by its deadline only, inside \`${outer}\``, () =>
      Effect.gen(function*() {
        const pool = yield* makePool(1, { nested: "allow", timeout: "1 second" })
        const fiber = yield* Effect.forkChild(tagOf(inside(pool)), now)
        yield* TestClock.adjust("999 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* Fiber.join(fiber), "AcquireTimeout")
      }))
  }

  it("refuses another word for wait.nested", () => {
    // @ts-expect-error "deny" is no such word
    assert.throws(() => makePool(1, { nested: "deny" }), RangeError, /wait\.nested/)
  })

  it.effect("runs as if inside no borrow what is detached", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(1, { timeout: "1 second" })
      const log = Pool.detached(Pool.use(pool, () => Effect.void))
      const fiber = yield* Effect.forkChild(tagOf(Pool.use(pool, () => log)), now)
      assert.strictEqual((yield* Pool.stats(pool)).waiting, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), "AcquireTimeout")
    }))

  it.effect("puts the caller's context back, however the work ends", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(1)
      const contextOf = Effect.withFiber((fiber) => Effect.succeed(fiber.context))
      const before = yield* contextOf
      yield* Pool.use(pool, () => Effect.void)
      yield* Effect.ignore(Pool.use(pool, () => Effect.fail("no")))
      yield* Effect.exit(Pool.use(pool, () => Effect.interrupt))
      yield* Effect.ignore(Pool.use(pool, () => Pool.use(pool, () => Effect.void)))
      assert.strictEqual(yield* contextOf, before)
    }))
})

describe("nested borrows inside `get` (behaviour 18)", () => {
  it.effect("count for its fiber", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(1)
      const scope = yield* Scope.make()
      yield* Scope.provide(Pool.get(pool, { label: "got" }), scope)
      const reason = yield* reasonOf(Pool.use(pool, () => Effect.void))
      assert.isTrue(reason?._tag === "NestedAcquire" && reason.nestedIn?.label === "got")
      yield* Scope.close(scope, Exit.void)
      assert.isUndefined(yield* tagOf(Pool.use(pool, () => Effect.void)))
    }))

  it.effect("count for whatever runs with its scope, and for no other", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(1, { timeout: "1 second" })
      const inner = tagOf(Pool.use(pool, () => Effect.void))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Pool.get(pool)
        assert.strictEqual(yield* Effect.flatMap(Effect.forkChild(inner), Fiber.join), "NestedAcquire")
        const stranger = yield* Effect.forkChild(Effect.scoped(inner), now)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(stranger), "AcquireTimeout")
      }))
      assert.isUndefined(yield* inner)
    }))

  it.effect("are not nested any more once it has closed", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(1, { nested: "fail" })
      const scope = yield* Scope.make()
      yield* Scope.provide(Pool.get(pool), scope)
      yield* Scope.close(scope, Exit.void)
      const stranger = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep("1 second")), now)
      const late = yield* Effect.forkChild(Scope.provide(tagOf(Pool.use(pool, () => Effect.void)), scope), now)
      yield* TestClock.adjust("1 second")
      assert.isUndefined(yield* Fiber.join(late))
      yield* Fiber.join(stranger)
    }))

  it.effect("fail also when it is a second `get` that completes the ring", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(2)
      const both = Effect.scoped(Effect.andThen(Pool.get(pool), Pool.get(pool)))
      assert.isUndefined(yield* tagOf(both))
      assert.strictEqual(
        yield* tagOf(Effect.scoped(Effect.andThen(both, Effect.andThen(Pool.get(pool), both)))),
        "NestedAcquire"
      )
    }))

  it.effect("fail when the scope they wait in gets the connection that they waited for", () =>
    Effect.gen(function*() {
      const pool = yield* makePool(2)
      const stranger = yield* Effect.forkDetach(Pool.use(pool, () => Effect.sleep("1 second")), now)
      const first = yield* Effect.scoped(Effect.gen(function*() {
        yield* Pool.get(pool)
        const waits = yield* Effect.forkChild(tagOf(Pool.use(pool, () => Effect.void)), now)
        const second = yield* Effect.forkChild(Pool.get(pool, { priority: 1 }), now)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(second)
        return yield* Fiber.join(waits)
      }))
      assert.strictEqual(first, "NestedAcquire")
      yield* Fiber.join(stranger)
      assert.strictEqual((yield* Pool.stats(pool)).used, 0)
    }))

  it.effect("cost the same for the ten-thousandth connection of a scope as for the first", () =>
    Effect.gen(function*() {
      const size = 10_000
      const pool = yield* makePool(size)
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Effect.forEach(Array.from({ length: size }), () => Pool.get(pool), { discard: true })
        assert.strictEqual(yield* tagOf(Pool.use(pool, () => Effect.void)), "NestedAcquire")
      }))
      assert.strictEqual((yield* Pool.stats(pool)).idle, size)
    }))
})
