import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Option, Random, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Deadline from "../src/policy/Deadline.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as Policy from "../src/policy/Policy.ts"
import type { PolicyEvent } from "../src/policy/PolicyEvent.ts"
import * as Retry from "../src/policy/Retry.ts"
import * as RetryBudget from "../src/policy/RetryBudget.ts"
import * as Timeout from "../src/policy/Timeout.ts"
import { Down, drawing, scripted } from "./support/calls.ts"
import { interruptEverywhere } from "./support/interrupts.ts"

const read = Operation.make("read", { idempotent: true })
const write = Operation.make("write", { idempotent: false })
const refusedBeforeSending = Effect.fail(new Down({ outcome: Outcome.failure("no") }))
const lost = Effect.fail(new Down({ outcome: Outcome.failure("unknown") }))

describe("Policy.run", () => {
  it("hands the call on as it is when the policy has no parts", () => {
    const work = Effect.succeed(1)
    assert.strictEqual(Policy.run(Policy.make({}), write, (attempt) => attempt(work)), work)
  })

  it.effect("repeats what is around the attempt as well as the attempt", () =>
    Effect.gen(function*() {
      let borrows = 0
      const call = scripted(refusedBeforeSending, Effect.succeed("done"))
      const policy = Policy.make({ retry: { times: 1 } })
      const fiber = yield* Policy.run(
        policy,
        write,
        (attempt) => Effect.andThen(Effect.sync(() => borrows++), attempt(call.effect))
      ).pipe(Effect.forkChild)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), "done")
      assert.strictEqual(borrows, 2)
    }))

  it.effect("keeps runs of one policy apart when they overlap", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ deadline: "10 seconds", timeout: "2 seconds", retry: { times: 2 } })
      const run = (index: number) => {
        const call = scripted(...Array.from({ length: index % 3 }, () => lost), Effect.succeed(index))
        return Policy.apply(Effect.delay(call.effect, index), policy, read)
      }
      const fiber = yield* Effect.forkChild(Effect.all([0, 1, 2, 3, 4, 5].map(run), { concurrency: "unbounded" }))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fiber), [0, 1, 2, 3, 4, 5])
      assert.strictEqual(Policy.snapshot(policy).attempts, 12)
    }))

  it.effect("puts the context back as it was, however the call ends", () =>
    Effect.gen(function*() {
      const before = yield* Effect.context()
      const policy = Policy.make({ deadline: "10 seconds", retry: { times: 1 } })
      yield* Policy.apply(Effect.void, policy, read)
      yield* Effect.exit(Policy.apply(Effect.die("bug"), policy, read))
      assert.strictEqual(yield* Effect.context(), before)
    }))

  it.effect("lets the call see a context of its own each time, also when two callers alternate", () =>
    Effect.gen(function*() {
      class Tenant extends Context.Service<Tenant, string>()("test/Tenant") {}
      const policy = Retry.make({ times: 1 })
      const seen = (tenant: string) =>
        Policy.apply(Tenant.use((name) => Effect.succeed(name)), policy, read).pipe(
          Effect.provideService(Tenant, tenant)
        )
      assert.deepStrictEqual(yield* Effect.forEach(["a", "b", "a"], seen), ["a", "b", "a"])
    }))
})

describe("a policy within an attempt of another", () => {
  it.effect("does not repeat what the outer one repeats: attempts add up, they do not multiply", () =>
    Effect.gen(function*() {
      const call = scripted(refusedBeforeSending)
      const outer = Policy.make({ retry: { times: 2 } })
      const inner = Policy.make({ name: "inner", retry: { times: 4 } })
      const seen = yield* Effect.forkChild(Stream.runCollect(Stream.take(Policy.events(inner), 3)), {
        startImmediately: true
      })
      yield* Effect.forkChild(Policy.apply(Policy.apply(call.effect, inner, write), outer, read))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(call.runs, 3)
      assert.deepStrictEqual(
        (yield* Fiber.join(seen)).map((event) => event._tag === "RetrySkipped" && [event.why, event.attempt, event.of]),
        [["Nested", 1, 3], ["Nested", 2, 3], ["Nested", 3, 3]]
      )
    }))

  it.effect("knows which attempt it is part of", () =>
    Effect.gen(function*() {
      const outer = Policy.make({ retry: { times: 1 } })
      const inner = Timeout.make("1 second")
      const fiber = yield* Effect.forkChild(
        Effect.flip(
          Policy.apply(Policy.apply(Effect.never, inner, read), outer, read)
        ).pipe(drawing(0))
      )
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).reason.attempt, 2)
    }))

  it.effect("repeats when the outer one does not, and when it is detached", () =>
    Effect.gen(function*() {
      const retrying = Policy.make({ retry: { times: 2 } })
      const plain = scripted(refusedBeforeSending)
      yield* Effect.forkChild(Policy.apply(Policy.apply(plain.effect, retrying, read), Deadline.make("1 minute"), read))
      const detached = scripted(refusedBeforeSending)
      const apart = Effect.exit(Policy.detached(Policy.apply(detached.effect, retrying, read)))
      yield* Effect.forkChild(Policy.apply(apart, Policy.make({ retry: { times: 2 } }), read))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(plain.runs, 3)
      assert.strictEqual(detached.runs, 3)
    }))
})

describe("Policy.compose", () => {
  it.effect("puts the first around the second, data-first and data-last", () =>
    Effect.gen(function*() {
      const perAttempt = [
        Policy.compose(Retry.make({ times: 2 }), Timeout.make("1 second")),
        Retry.make({ times: 2 }).pipe(Policy.compose(Timeout.make("1 second")))
      ]
      for (const policy of perAttempt) {
        assert.strictEqual(policy.name, "retry+timeout")
        const call = scripted(Effect.never)
        const fiber = yield* Effect.forkChild(Effect.exit(Policy.apply(call.effect, policy, read)).pipe(drawing(0)))
        yield* TestClock.adjust("3 seconds")
        assert.isTrue(Exit.isSuccess(yield* Fiber.await(fiber)))
        assert.strictEqual(call.runs, 3)
      }
    }))

  it.effect("gives a deadline inside a retry to every attempt, borrow included, and repeats none that it ended", () =>
    Effect.gen(function*() {
      const policy = Policy.compose(Retry.make({ times: 2 }), Deadline.make("1 second"))
      const call = scripted(Effect.delay(lost, "800 millis"), Effect.never)
      const fiber = yield* Effect.forkChild(Effect.flip(Policy.apply(call.effect, policy, read)).pipe(drawing(0)))
      yield* TestClock.adjust("1800 millis")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag === "PolicyError" && error.reason.attempts, 2)
      assert.strictEqual(call.runs, 2)
    }))

  it.effect("counts and publishes for itself, not for its parts", () =>
    Effect.gen(function*() {
      const part = Deadline.make("1 second")
      const policy = Policy.compose(part, Timeout.make("500 millis"))
      yield* Policy.apply(Effect.void, policy, read)
      assert.strictEqual(Policy.snapshot(policy).calls, 1)
      assert.strictEqual(Policy.snapshot(part).calls, 0)
    }))
})

const ordersPolicy = () =>
  Policy.make({ name: "orders", deadline: "10 seconds", timeout: "1 second", retry: { times: 2 } })

const watched = <E, Repeats extends boolean>(
  policy: Policy.Policy<E, Operation.Operation, Repeats>,
  program: Effect.Effect<unknown>
) =>
  Effect.gen(function*() {
    const events: Array<PolicyEvent> = []
    const listener = yield* Effect.forkChild(
      Stream.runForEach(Policy.events(policy), (event) => Effect.sync(() => events.push(event))),
      { startImmediately: true }
    )
    yield* Effect.forkChild(program)
    yield* TestClock.adjust("1 minute")
    yield* Fiber.interrupt(listener)
    return events
  })

/** The last event of one call that fails so. */
const told = (
  options: Omit<Retry.Options, "classify"> & { readonly deadline?: Duration.Input },
  call: Effect.Effect<never, Down>
) =>
  Effect.gen(function*() {
    const { deadline, ...retry } = options
    const orders = Policy.make({ deadline: deadline ?? "1 hour", retry })
    const events = yield* watched(orders, Effect.exit(Policy.apply(call, orders, write)).pipe(drawing(1)))
    const last = events.at(-1)
    return last !== undefined && "why" in last ? `${last._tag} ${last.why}` : last?._tag
  })

const overloaded = (retryAfter?: Duration.Duration) =>
  Effect.fail(new Down({ outcome: Outcome.overload("no", retryAfter) }))

const chance = (endings: ReadonlyArray<Effect.Effect<void, Down>>) =>
  Effect.flatMap(Random.nextIntBetween(0, endings.length - 1), (index) => endings[index] ?? Effect.void)

describe("events and snapshot", () => {
  it.effect("tell each retry with attempt, total, delay, elapsed time and cause", () =>
    Effect.gen(function*() {
      const orders = ordersPolicy()
      const failure = new Down({ outcome: Outcome.failure("no") })
      const call = scripted(Effect.delay(Effect.fail(failure), "10 millis"))
      const events = yield* watched(orders, Effect.exit(Policy.apply(call.effect, orders, write)).pipe(drawing(0.5)))
      const common = { policy: "orders", operation: "write", of: 3, cause: failure }
      const heard = events.map((event) => ({ ...event, elapsed: Duration.toMillis(event.elapsed) }))
      assert.deepStrictEqual(heard, [
        { _tag: "RetryScheduled", ...common, attempt: 1, delay: Duration.millis(50), elapsed: 10 },
        { _tag: "RetryScheduled", ...common, attempt: 2, delay: Duration.millis(100), elapsed: 70 },
        { _tag: "RetriesExhausted", ...common, attempt: 3, why: "Times", elapsed: 180 }
      ])
    }))

  it.effect("tell why a failure was not repeated", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* told({ times: 1 }, lost), "RetrySkipped NotIdempotent")
      assert.strictEqual(yield* told({ times: 1 }, overloaded()), "RetrySkipped NoPushback")
      assert.strictEqual(yield* told({ times: 1 }, overloaded(Duration.hours(1))), "RetrySkipped PushbackTooLong")
      assert.strictEqual(yield* told({ times: 1 }, refusedBeforeSending), "RetriesExhausted Times")
      assert.strictEqual(yield* told({ times: 1, deadline: 100 }, refusedBeforeSending), "RetriesExhausted Deadline")
      const ended = Schedule.spaced(1).pipe(Schedule.upTo({ times: 1 }))
      assert.strictEqual(yield* told({ times: 5, schedule: ended }, refusedBeforeSending), "RetriesExhausted Schedule")
    }))

  it.effect("say nothing of a failure that no retry is for", () =>
    Effect.gen(function*() {
      for (const outcome of [Outcome.ignored("no"), Outcome.ignored("unknown"), Outcome.success]) {
        const orders = ordersPolicy()
        const call = Effect.fail(new Down({ outcome }))
        const single = Policy.apply(call, orders, read)
        const nested = Policy.apply(single, Retry.make({ times: 1 }), read)
        assert.deepStrictEqual(yield* watched(orders, Effect.exit(single)), [])
        assert.deepStrictEqual(yield* watched(orders, Effect.exit(nested)), [])
        assert.deepStrictEqual(yield* watched(orders, Effect.exit(Policy.apply(Effect.die("bug"), orders, read))), [])
      }
    }))

  it.effect("tell timeouts and deadlines", () =>
    Effect.gen(function*() {
      const orders = Policy.make({ deadline: "3 seconds", timeout: "2 seconds", retry: { times: 1 } })
      const events = yield* watched(orders, Effect.exit(Policy.apply(Effect.never, orders, read)).pipe(drawing(0)))
      assert.deepStrictEqual(events.map((event) => event._tag), [
        "AttemptTimedOut",
        "RetryScheduled",
        "DeadlineExceeded"
      ])
      const last = events.at(-1)
      assert.deepStrictEqual(last?._tag === "DeadlineExceeded" && [last.attempts, Duration.toMillis(last.deadline)], [
        2,
        3000
      ])
    }))

  for (const seed of ["ebb", "flood", "slack"]) {
    it.effect(`agree after any mix of calls (seed ${seed})`, () =>
      Effect.gen(function*() {
        const orders = Policy.make({ name: "orders", deadline: 1200, timeout: 1000, retry: { times: 2 } })
        let attempts = 0
        const attempt = Effect.andThen(
          Effect.sync(() => attempts++),
          chance([Effect.void, lost, refusedBeforeSending, Effect.never, Effect.sleep("900 millis")])
        )
        const call = Effect.gen(function*() {
          const operation = (yield* Random.nextBoolean) ? read : write
          const fiber = yield* Effect.forkChild(Policy.apply(attempt, orders, operation), { startImmediately: true })
          if (yield* Random.nextBoolean) return yield* Fiber.await(fiber)
          yield* Effect.sleep(yield* Random.nextIntBetween(0, 4000))
          return yield* Fiber.interrupt(fiber)
        })
        const calls = 100
        const all = Effect.all(Array.from({ length: calls }, () => call), { concurrency: 5, discard: true })
        const listening = watched(orders, all.pipe(Random.withSeed(seed)))
        const events = yield* Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(listening)
          yield* TestClock.adjust("10 minutes")
          return yield* Fiber.join(fiber)
        })
        const count = (tag: PolicyEvent["_tag"]) => events.filter((event) => event._tag === tag).length
        const counts = Policy.snapshot(orders)
        assert.deepInclude(counts, {
          name: "orders",
          calls,
          attempts,
          retries: count("RetryScheduled"),
          retriesSkipped: count("RetrySkipped"),
          retriesExhausted: count("RetriesExhausted"),
          attemptTimeouts: count("AttemptTimedOut"),
          deadlinesExceeded: count("DeadlineExceeded")
        }, `seed ${seed}`)
        assert.isAbove(counts.retries, 0, `seed ${seed}`)
        assert.isAbove(counts.attemptTimeouts, 0, `seed ${seed}`)
        assert.isAbove(counts.deadlinesExceeded, 0, `seed ${seed}`)
      }))
  }

  it.effect("add up the counts of two policies, under the name of the first, and leave out how things stand", () =>
    Effect.gen(function*() {
      const orders = Policy.make({ name: "orders", retry: { times: 1 }, breaker: {} })
      const items = Policy.make({ name: "items", breaker: { window: 1 } })
      yield* Effect.exit(Policy.apply(lost, orders, write))
      yield* Effect.exit(Policy.apply(lost, items, read))
      yield* Effect.exit(Policy.apply(lost, items, read))
      const sum = Policy.addCounts(Policy.snapshot(orders), Policy.snapshot(items))
      assert.deepStrictEqual(sum, {
        ...Policy.snapshot(Policy.make({ name: "orders", timeout: "1 second" })),
        calls: 3,
        attempts: 3,
        retriesSkipped: 1,
        circuitOpened: 1,
        circuitRejected: 1
      })
    }))

  it.effect("lose the oldest for a listener that does not keep up, and keep no caller waiting", () =>
    Effect.gen(function*() {
      const schedule = Retry.fullJitter({ base: 1, cap: 1 })
      const orders = Policy.make({ retry: { times: 1000, schedule, budget: RetryBudget.unlimited } })
      let heard = 0
      const listener = yield* Effect.forkChild(
        Stream.runForEach(Policy.events(orders), () => Effect.andThen(Effect.sync(() => heard++), Effect.never)),
        { startImmediately: true }
      )
      const fiber = yield* Effect.forkChild(Policy.apply(refusedBeforeSending, orders, read).pipe(drawing(1)))
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
      assert.strictEqual(heard, 1)
      yield* Fiber.interrupt(listener)
    }))

  it.effect("tell of a call that nobody heard begin how long it took since somebody listened", () =>
    Effect.gen(function*() {
      const orders = Policy.make({ timeout: "10 seconds" })
      yield* TestClock.adjust("1 hour")
      yield* Effect.forkChild(Effect.exit(Policy.apply(Effect.never, orders, read)), { startImmediately: true })
      yield* TestClock.adjust("7 seconds")
      const heard = yield* Effect.forkChild(Stream.runHead(Policy.events(orders)), { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      const event = Option.getOrThrow(yield* Fiber.join(heard))
      assert.strictEqual(Duration.toSeconds(event.elapsed), 3)
    }))

  it.effect("reach every listener, each from when it began", () =>
    Effect.gen(function*() {
      const orders = ordersPolicy()
      const one = yield* Effect.forkChild(Stream.runCollect(Stream.take(Policy.events(orders), 2)), {
        startImmediately: true
      })
      yield* Effect.exit(Policy.apply(lost, orders, write))
      const two = yield* Effect.forkChild(Stream.runCollect(Stream.take(Policy.events(orders), 1)), {
        startImmediately: true
      })
      yield* Effect.exit(Policy.apply(lost, orders, write))
      assert.lengthOf(yield* Fiber.join(one), 2)
      assert.lengthOf(yield* Fiber.join(two), 1)
    }))
})

describe("an interrupt at every operation", () => {
  it("leaves no lease, timer or fiber behind, and counts what it published", async () => {
    const interrupted = await interruptEverywhere(async (world, where) => {
      const call = scripted(lost, Effect.succeed("done"))
      const policy = Policy.make({ deadline: "5 seconds", timeout: "2 seconds", retry: { times: 1 } })
      const heard = Effect.runFork(Stream.runCollect(Stream.take(Policy.events(policy), 1)))
      const exit = await world.interrupt(
        Policy.run(policy, read, (attempt) => world.lease(() => attempt(call.effect)))
      )
      assert.deepStrictEqual(world.left(), { leases: 0, timers: 0, fibers: 0 }, where)
      const { attempts, calls, retries } = Policy.snapshot(policy)
      assert.isAtMost(call.runs, attempts, where)
      assert.isAtMost(attempts, calls + retries, where)
      // What was counted was published, hence this ends.
      await Effect.runPromise(retries === 0 ? Fiber.interrupt(heard) : Fiber.join(heard))
      return exit
    })
    assert.isAbove(interrupted, 20)
  })

  it.effect("tell of changes only those who want no more, at no cost to calls", () =>
    Effect.gen(function*() {
      const policy = Policy.make({ name: "orders", retry: { times: 1 }, breaker: { minimumCalls: 2 } })
      const heard = yield* Policy.changes(policy).pipe(
        Stream.take(1),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      const call = Effect.ignore(
        Policy.apply(Effect.fail("down"), policy, Operation.make("read", { idempotent: true }))
      )
      const calls = yield* Effect.forkChild(Effect.repeat(call, { times: 5 }))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(calls)
      assert.deepStrictEqual((yield* Fiber.join(heard)).map(({ _tag }) => _tag), ["CircuitChanged"])
    }))
})
