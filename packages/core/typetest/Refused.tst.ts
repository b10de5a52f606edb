/**
 * What must not compile of the policies, each with the error that a person sees.
 */
import { type Duration, Effect } from "effect"
import { describe, expect, test } from "tstyche"
import * as Bulkhead from "../src/policy/Bulkhead.ts"
import * as Deadline from "../src/policy/Deadline.ts"
import * as Fallback from "../src/policy/Fallback.ts"
import * as Hedge from "../src/policy/Hedge.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Outcome from "../src/policy/Outcome.ts"
import * as Policy from "../src/policy/Policy.ts"
import * as Retry from "../src/policy/Retry.ts"
import * as RetryBudget from "../src/policy/RetryBudget.ts"
import * as Timeout from "../src/policy/Timeout.ts"

const read = Operation.make("read", { idempotent: true })
const write = Operation.make("write", { idempotent: false })
declare const unknownOperation: Operation.Operation
declare const work: Effect.Effect<number, "down">
declare const anyTime: Duration.Input | undefined

const notIdempotent =
  "this policy may repeat the call, and the operation is not known to be idempotent: use Retry.whenSafe or Hedge.whenSafe, or Retry.anyOperation if it may take effect twice"
const twice = "a retry or hedge inside another multiplies the attempts: keep one of them"

describe("a retry or a hedge over an operation that is not idempotent", () => {
  const bare = Retry.make({ times: 1 })

  test("says so, and what to do", () => {
    expect<Policy.Accepted<Operation.Idempotent, typeof write>>().type.toBe<typeof notIdempotent>()
  })

  test("is refused by run", () => {
    // @ts-expect-error the operation is not known to be idempotent: use Retry.whenSafe or Hedge.whenSafe
    Policy.run(bare, write, (attempt) => attempt(work))
    // @ts-expect-error the operation is not known to be idempotent: use Retry.whenSafe or Hedge.whenSafe
    Policy.run(Hedge.make(), write, (attempt) => attempt(work))
    // @ts-expect-error the operation is not known to be idempotent: use Retry.whenSafe or Hedge.whenSafe
    Policy.run(bare, unknownOperation, (attempt) => attempt(work))
  })

  test("is refused by apply, written either way", () => {
    // @ts-expect-error the operation is not known to be idempotent: use Retry.whenSafe or Hedge.whenSafe
    Policy.apply(work, bare, write)
    // @ts-expect-error the operation is not known to be idempotent: use Retry.whenSafe or Hedge.whenSafe
    work.pipe(Policy.apply(bare, write))
    // @ts-expect-error the operation is not known to be idempotent: use Retry.whenSafe or Hedge.whenSafe
    Policy.apply(work, Hedge.make({ after: 100 }), unknownOperation)
  })

  test("is refused wherever it stands in a composition", () => {
    // @ts-expect-error the operation is not known to be idempotent: use Retry.whenSafe or Hedge.whenSafe
    Policy.run(Policy.compose(Deadline.make(100), bare), write, (attempt) => attempt(work))
    const deep = Policy.compose(Deadline.make(100), Policy.compose(bare, Timeout.make(10)))
    // @ts-expect-error the operation is not known to be idempotent: use Retry.whenSafe or Hedge.whenSafe
    Policy.run(deep, write, (attempt) => attempt(work))
    Policy.run(deep, read, (attempt) => attempt(work))
  })
})

describe("a retry or a hedge inside another", () => {
  const retry = Retry.whenSafe({ times: 1 })
  const bounded = Policy.compose(Deadline.make(1000), retry)

  test("says so, and what to do", () => {
    expect<Policy.RepeatsOnce<true, true>>().type.toBe<typeof twice>()
    expect<NonNullable<Policy.KnownOptions<{ retry: { times: 1 }; hedge: {} }>["hedge"]>>().type.toBe<typeof twice>()
  })

  test("is refused by compose, wherever they stand and written either way", () => {
    // @ts-expect-error a retry or hedge inside another multiplies the attempts: keep one of them
    Policy.compose(retry, retry)
    // @ts-expect-error a retry or hedge inside another multiplies the attempts: keep one of them
    retry.pipe(Policy.compose(retry))
    // @ts-expect-error a retry or hedge inside another multiplies the attempts: keep one of them
    Policy.compose(bounded, Retry.make({ times: 1 }))
    // @ts-expect-error a retry or hedge inside another multiplies the attempts: keep one of them
    Policy.compose(Policy.make({ retry: { times: 1 } }), bounded)
    // @ts-expect-error a retry or hedge inside another multiplies the attempts: keep one of them
    Policy.compose(Hedge.make(), retry)
    // @ts-expect-error a retry or hedge inside another multiplies the attempts: keep one of them
    Policy.compose(bounded, Hedge.make())
    // @ts-expect-error a retry or hedge inside another multiplies the attempts: keep one of them
    Policy.compose(Policy.make({ hedge: {} }), Policy.make({ timeout: 100, hedge: { after: 10 } }))
  })

  test("is refused by make", () => {
    // @ts-expect-error not assignable to type '"a retry or hedge inside another multiplies the attempts: keep one of them"'
    Policy.make({ retry: { times: 1 }, hedge: {} })
    // @ts-expect-error not assignable to type '"a retry or hedge inside another multiplies the attempts: keep one of them"'
    Policy.make({ deadline: "1 second", retry: { times: 2 }, hedge: { after: 100 } })
  })

  test("is refused beside what a preset has", () => {
    // @ts-expect-error not assignable to type '"a retry or hedge inside another multiplies the attempts: keep one of them"'
    Policy.make({ ...Policy.read, retry: { times: 1 } })
    // @ts-expect-error not assignable to type '"a retry or hedge inside another multiplies the attempts: keep one of them"'
    Policy.make({ ...Policy.standard, hedge: {} })
    // @ts-expect-error a retry or hedge inside another multiplies the attempts: keep one of them
    Policy.compose(Policy.make(Policy.write), Policy.make(Policy.read))
    // @ts-expect-error a retry or hedge inside another multiplies the attempts: keep one of them
    Policy.compose(Policy.make(Policy.standard), retry)
    Policy.make({ ...Policy.read, hedge: undefined, retry: { times: 1 } })
    Policy.compose(Policy.make(Policy.bestEffort), retry)
  })

  test("is refused around a policy from configuration, which may repeat", () => {
    Effect.map(Policy.fromConfig({ timeout: "1 second" }), (configured) => {
      // @ts-expect-error a retry or hedge inside another multiplies the attempts: keep one of them
      Policy.compose(retry, configured)
      // @ts-expect-error a retry or hedge inside another multiplies the attempts: keep one of them
      Policy.compose(configured, Hedge.whenSafe())
      return Policy.compose(Deadline.make("5 seconds"), configured)
    })
  })
})

describe("a setting that does not exist", () => {
  test("is refused by make, in the policy and in each of its groups", () => {
    // @ts-expect-error NoSuchSetting
    Policy.make({ deadline: "1 second", retyr: { times: 1 } })
    // @ts-expect-error NoSuchSetting
    Policy.make({ retry: { times: 1, shedule: 1 } })
    // @ts-expect-error 'afetr' does not exist in type
    Policy.make({ hedge: { afetr: 100 } })
    // @ts-expect-error 'multiplyer' does not exist in type
    Policy.make({ throttle: { multiplyer: 2 } })
    // @ts-expect-error 'limits' does not exist in type
    Policy.make({ adaptiveLimit: { limits: {} } })
    // @ts-expect-error 'windows' does not exist in type
    Policy.make({ breaker: { windows: 3 } })
    // @ts-expect-error NoSuchSetting
    Policy.make({ bulkhead: { permits: 1, size: 3 } })
    // @ts-expect-error NoSuchSetting
    Policy.make({ rateLimit: { limit: 1, rate: 3 } })
    // @ts-expect-error NoSuchSetting
    Policy.make({ recover: { when: () => true, clear: Effect.void, timeuot: "1 second" } })
    // @ts-expect-error NoSuchSetting
    Policy.make({ chaos: { seed: 1, eror: { share: 1 } } })
  })

  test("is refused beside what a preset has", () => {
    // @ts-expect-error NoSuchSetting
    Policy.make({ ...Policy.standard, dedline: "1 second" })
  })

  test("is refused as a default of configuration", () => {
    // @ts-expect-error 'retyr' does not exist in type 'Options'
    Policy.fromConfig({ retyr: { times: 1 } })
    // @ts-expect-error 'windows' does not exist in type
    Policy.fromConfig({ breaker: { windows: 3 } })
  })

  test("is refused by update, in the policy and in each of its groups", () => {
    const policy = Policy.make(Policy.standard)
    // @ts-expect-error 'retyr' does not exist in type 'Update'
    Policy.update(policy, { retyr: { times: 1 } })
    // @ts-expect-error 'shedule' does not exist in type
    Policy.update(policy, { retry: { shedule: 1 } })
    // @ts-expect-error 'limits' does not exist in type
    Policy.update(policy, { adaptiveLimit: { limits: {} } })
  })
})

describe("a setting that a part needs", () => {
  test("is asked for by make", () => {
    // @ts-expect-error Property 'times' is missing
    Policy.make({ retry: {} })
    // @ts-expect-error Property 'limit' is missing
    Policy.make({ rateLimit: {} })
    // @ts-expect-error Property 'permits' is missing
    Policy.make({ bulkhead: {} })
    // @ts-expect-error Property 'seed' is missing
    Policy.make({ chaos: {} })
    // @ts-expect-error is missing the following properties from type 'Options': when, clear
    Policy.make({ recover: {} })
  })

  test("is not asked for by update", () => {
    Policy.update(Policy.make(Policy.standard), { retry: {}, rateLimit: {}, bulkhead: {}, chaos: {}, recover: {} })
  })
})

describe("a setting that does not change while calls run", () => {
  const policy = Policy.make(Policy.standard)

  test("is refused by update: whose budget, which mode, which keys, which draws, how an exit counts", () => {
    // @ts-expect-error 'name' does not exist in type 'Update'
    Policy.update(policy, { name: "orders" })
    // @ts-expect-error 'classify' does not exist in type 'Update'
    Policy.update(policy, { classify: () => ({ _tag: "Success" }) })
    // @ts-expect-error 'budget' does not exist in type
    Policy.update(policy, { retry: { budget: RetryBudget.make() } })
    // @ts-expect-error 'budget' does not exist in type
    Policy.update(policy, { hedge: { budget: RetryBudget.make() } })
    // @ts-expect-error 'mode' does not exist in type
    Policy.update(policy, { breaker: { mode: "disabled" } })
    // @ts-expect-error 'perKey' does not exist in type
    Policy.update(policy, { breaker: { perKey: {} } })
    // @ts-expect-error 'perKey' does not exist in type
    Policy.update(policy, { throttle: { perKey: {} } })
    // @ts-expect-error 'perKey' does not exist in type
    Policy.update(policy, { rateLimit: { perKey: {} } })
    // @ts-expect-error 'perKey' does not exist in type
    Policy.update(policy, { bulkhead: { perKey: {} } })
    // @ts-expect-error 'initial' does not exist in type
    Policy.update(policy, { adaptiveLimit: { limit: { initial: 3 } } })
    // @ts-expect-error 'seed' does not exist in type
    Policy.update(policy, { chaos: { seed: 2 } })
    // @ts-expect-error 'clear' does not exist in type
    Policy.update(policy, { recover: { clear: Effect.void } })
  })
})

describe("how an exit counts", () => {
  test("is said once for a whole policy, and not in one of its groups", () => {
    const classify = () => Outcome.success
    // @ts-expect-error 'classify' does not exist in type
    Policy.make({ hedge: { classify } })
    // @ts-expect-error 'classify' does not exist in type
    Policy.make({ breaker: { classify } })
    // @ts-expect-error NoSuchSetting
    Policy.make({ retry: { times: 1, classify } })
  })
})

describe("an error that a policy cannot fail with", () => {
  test("cannot be caught", () => {
    const guarded = Policy.apply(work, Deadline.make("1 second"), write)
    // @ts-expect-error Argument of type '"AttemptTimeout"' is not assignable
    Effect.catchReason(guarded, "PolicyError", "AttemptTimeout", () => Effect.void)
    const full = Policy.apply(work, Bulkhead.make({ permits: 1 }), write)
    // @ts-expect-error Argument of type '"CircuitOpen"' is not assignable
    Effect.catchReason(full, "PolicyError", "CircuitOpen", () => Effect.void)
  })
})

describe("a fallback", () => {
  test("is no part of a policy, since it has to do with the value of one call", () => {
    // @ts-expect-error NoSuchSetting
    Policy.make({ deadline: "1 second", fallback: Fallback.value(0) })
    // @ts-expect-error is not assignable
    Policy.compose(Deadline.make("1 second"), Fallback.value(0))
  })
})

test("times that do not go together are left to run time", () => {
  Policy.make({ deadline: "1 second", timeout: "2 seconds", hedge: { after: anyTime } })
})
