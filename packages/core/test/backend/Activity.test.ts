import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Activity from "../../src/backend/Activity.ts"
import * as Backend from "../../src/backend/Backend.ts"
import * as Pool from "../../src/pool/Pool.ts"

describe("The activity on a connection", () => {
  it("leaves the rest of the lease idle", () => {
    const activity = Activity.make()
    activity.begin(110)
    activity.end(130)
    activity.begin(140)
    activity.end(145)
    assert.strictEqual(activity.idle(100, 200), 75)
  })

  it("counts once what overlaps", () => {
    const activity = Activity.make()
    activity.begin(10)
    activity.begin(15)
    activity.end(20)
    activity.end(40)
    assert.strictEqual(activity.idle(0, 100), 70)
  })

  it("counts what still runs when the lease ends, and not in the next one", () => {
    const activity = Activity.make()
    activity.begin(10)
    assert.strictEqual(activity.idle(0, 100), 10)
    activity.end(150)
    activity.begin(160)
    activity.end(170)
    assert.strictEqual(activity.idle(100, 200), 90)
  })

  it("does not take what is late for what began after it", () => {
    const activity = Activity.make()
    activity.begin(10)
    activity.begin(20)
    activity.idle(0, 100)
    activity.begin(110)
    activity.end(120)
    activity.end(130)
    activity.end(150)
    assert.strictEqual(activity.idle(100, 200), 60)
  })

  it("has nothing idle where the connection is occupied, until the lease ends", () => {
    const activity = Activity.make()
    activity.occupy()
    assert.strictEqual(activity.idle(0, 100), 0)
    assert.strictEqual(activity.idle(100, 200), 100)
  })

  it("is never less than nothing", () => {
    const activity = Activity.make()
    activity.begin(90)
    activity.end(200)
    assert.strictEqual(activity.idle(100, 200), 0)
  })
})

const make = (activity?: () => Activity.Activity) =>
  Pool.make({
    name: "orders",
    acquire: Effect.sync(Activity.make),
    size: { max: 1 },
    activity: activity ?? ((one) => one)
  })

const heldIdle = (pool: Pool.Pool<Activity.Activity>) =>
  Effect.map(
    Pool.detail(pool),
    ({ times: { heldIdle: idle, use } }) =>
      [use.count, use.sum, idle?.count, idle?.sum].map((value) => Math.round((value ?? NaN) * 1e6) / 1e6)
  )

describe("The time that connections are held and idle", () => {
  const operations = Backend.makeOperations()
  const operation = (millis: number, activity: Activity.Activity) =>
    Backend.measured(Effect.sleep(millis), operations, activity)

  const borrowed = <E>(work: (activity: Activity.Activity) => Effect.Effect<unknown, E>) =>
    Effect.gen(function*() {
      const pool = yield* make()
      const borrow = yield* Effect.forkChild(Pool.use(pool, work))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.await(borrow)
      return yield* heldIdle(pool)
    })

  it.effect("is nothing where one operation takes all of the borrow", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* borrowed((activity) => operation(300, activity)), [1, 0.3, 1, 0])
    }))

  it.effect("is the sum of the gaps between operations", () =>
    Effect.gen(function*() {
      const work = (activity: Activity.Activity) =>
        Effect.sleep(20).pipe(
          Effect.andThen(operation(300, activity)),
          Effect.andThen(Effect.sleep(500)),
          Effect.andThen(Activity.during(Effect.sleep(40), activity)),
          Effect.andThen(Effect.sleep(3))
        )
      assert.deepStrictEqual(yield* borrowed(work), [1, 0.863, 1, 0.523])
    }))

  it.effect("knows an operation that fails or is interrupted", () =>
    Effect.gen(function*() {
      const failing = (activity: Activity.Activity) =>
        Effect.ignore(Backend.measured(Effect.andThen(Effect.sleep(100), Effect.fail("no")), operations, activity))
          .pipe(
            Effect.andThen(Effect.timeoutOption(operation(5000, activity), "200 millis")),
            Effect.andThen(Effect.sleep(50))
          )
      assert.deepStrictEqual(yield* borrowed(failing), [1, 0.35, 1, 0.05])
    }))

  it.effect("is of each borrow by itself", () =>
    Effect.gen(function*() {
      const pool = yield* make()
      const work = Pool.use(pool, (activity) => Effect.andThen(operation(70, activity), Effect.sleep(30)))
      const borrows = yield* Effect.forkChild(Effect.andThen(work, work))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(borrows)
      assert.deepStrictEqual(yield* heldIdle(pool), [2, 0.2, 2, 0.06])
    }))

  it.effect("is not told where the pool does not know what runs", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ name: "orders", acquire: Effect.succeed({}), size: { max: 1 } })
      yield* Pool.use(pool, () => Effect.void)
      assert.notProperty((yield* Pool.detail(pool)).times, "heldIdle")
    }))

  it.effect("does not keep a connection from coming back", () =>
    Effect.gen(function*() {
      const pool = yield* make(() => {
        throw new Error("no activity")
      })
      yield* Pool.use(pool, () => Effect.void)
      assert.deepInclude(yield* Pool.stats(pool), { idle: 1, used: 0 })
    }))
})
