import { Context, Data, Effect } from "effect"
import { describe, expect, test } from "tstyche"
import * as Deadline from "../src/policy/Deadline.ts"
import * as Hedge from "../src/policy/Hedge.ts"
import * as Operation from "../src/policy/Operation.ts"
import * as Policy from "../src/policy/Policy.ts"
import type {
  AttemptTimeout,
  BulkheadFull,
  CircuitOpen,
  DeadlineExceeded,
  FaultInjected,
  LimitExceeded,
  PolicyError,
  RateLimited,
  Throttled
} from "../src/policy/PolicyError.ts"
import * as Retry from "../src/policy/Retry.ts"
import * as Timeout from "../src/policy/Timeout.ts"

class Db extends Context.Service<Db, { readonly query: number }>()("typetest/Db") {}
class QueryError extends Data.TaggedError("QueryError") {}

const read = Operation.make("read", { idempotent: true })
const write = Operation.make("write", { idempotent: false })
declare const unknownOperation: Operation.Operation
declare const work: Effect.Effect<number, QueryError, Db>
declare const options: Policy.Options

describe("Operation", () => {
  test("keeps the literal of idempotent", () => {
    expect(read).type.toBe<Operation.Operation<true>>()
    expect(write).type.toBe<Operation.Operation<false>>()
    expect(read).type.toBeAssignableTo<Operation.Idempotent>()
    expect(write).type.not.toBeAssignableTo<Operation.Idempotent>()
  })
})

describe("Policy.make", () => {
  test("knows from its options what it fails with and whether it repeats", () => {
    expect(Policy.make({})).type.toBe<Policy.Policy<never, Operation.Operation, false>>()
    expect(Policy.make({ deadline: "1 second" })).type.toBe<
      Policy.Policy<PolicyError<DeadlineExceeded>, Operation.Operation, false>
    >()
    expect(Policy.make({ deadline: undefined, timeout: 100, retry: undefined })).type.toBe<
      Policy.Policy<PolicyError<AttemptTimeout>, Operation.Operation, false>
    >()
    expect(Policy.make({ timeout: 100, retry: { times: 1 } })).type.toBe<
      Policy.Policy<PolicyError<AttemptTimeout>, Operation.Operation, true>
    >()
  })

  test("knows the refusals of limits", () => {
    expect(Policy.make({ throttle: {}, adaptiveLimit: {} })).type.toBe<
      Policy.Policy<PolicyError<Throttled> | PolicyError<LimitExceeded>, Operation.Operation, false>
    >()
    expect(Policy.make({ rateLimit: { limit: 10 }, adaptiveLimit: undefined })).type.toBe<
      Policy.Policy<PolicyError<RateLimited>, Operation.Operation, false>
    >()
  })

  test("allows for everything when its options are known at run time only", () => {
    expect(Policy.make(options)).type.toBe<
      Policy.Policy<
        | PolicyError<DeadlineExceeded>
        | PolicyError<AttemptTimeout>
        | PolicyError<CircuitOpen>
        | PolicyError<BulkheadFull>
        | PolicyError<FaultInjected>
        | PolicyError<LimitExceeded>
        | PolicyError<Throttled>
        | PolicyError<RateLimited>,
        Operation.Operation,
        true
      >
    >()
  })
})

describe("a retry beside a hedge", () => {
  test("is left to run time where either may be missing", () => {
    expect(Policy.make).type.toBeCallableWith({ retry: undefined, hedge: {} })
    expect(Policy.make).type.toBeCallableWith({ retry: { times: 1 }, hedge: undefined })
    expect(Policy.make).type.toBeCallableWith(options)
  })

  test("knows that a hedge repeats too", () => {
    expect(Policy.make({ hedge: {} })).type.toBe<Policy.Policy<never, Operation.Operation, true>>()
    expect(Policy.make({ hedge: undefined, timeout: 100 })).type.toBe<
      Policy.Policy<PolicyError<AttemptTimeout>, Operation.Operation, false>
    >()
  })
})

describe("Policy.run", () => {
  test("adds the policy's errors to those of the call, and its requirements stay", () => {
    const policy = Policy.make({ deadline: "1 second", timeout: 100 })
    expect(Policy.run(policy, write, (attempt) => attempt(work))).type.toBe<
      Effect.Effect<number, QueryError | PolicyError<DeadlineExceeded> | PolicyError<AttemptTimeout>, Db>
    >()
    expect(Policy.apply(work, policy, write)).type.toBe<
      Effect.Effect<number, QueryError | PolicyError<DeadlineExceeded> | PolicyError<AttemptTimeout>, Db>
    >()
    expect(work.pipe(Policy.apply(policy, write))).type.toBe<
      Effect.Effect<number, QueryError | PolicyError<DeadlineExceeded> | PolicyError<AttemptTimeout>, Db>
    >()
  })

  test("lets the faults of a chaos arise within an attempt", () => {
    const policy = Policy.make({ deadline: "1 second", chaos: { seed: 1 } })
    const handled = Policy.run(policy, write, (attempt) => Effect.catchTag(attempt(work), "PolicyError", () => work))
    expect(handled).type.toBe<Effect.Effect<number, QueryError | PolicyError<DeadlineExceeded>, Db>>()
  })

  test("adds nothing for a policy that does not fail", () => {
    expect(Policy.run(Retry.make({ times: 1 }), read, (attempt) => attempt(work))).type.toBe<
      Effect.Effect<number, QueryError, Db>
    >()
  })

  test("gives attempt the errors that arise within it, and drops those that the call handles", () => {
    const policy = Policy.make({ deadline: "1 second", timeout: 100 })
    const handled = Policy.run(policy, write, (attempt) => {
      expect(attempt(work)).type.toBe<Effect.Effect<number, QueryError | PolicyError<AttemptTimeout>, Db>>()
      return Effect.catchTag(attempt(work), "PolicyError", () => Effect.succeed(0))
    })
    expect(handled).type.toBe<Effect.Effect<number, QueryError | PolicyError<DeadlineExceeded>, Db>>()
  })

  test("lets a reason be caught with its own fields, and no reason that cannot arise", () => {
    const guarded = Policy.apply(work, Deadline.make("1 second"), write)
    Effect.catchReason(guarded, "PolicyError", "DeadlineExceeded", (reason) => {
      expect(reason).type.toBe<DeadlineExceeded>()
      return Effect.succeed(reason.attempts)
    })
    // @ts-expect-error Argument of type '"AttemptTimeout"' is not assignable
    Effect.catchReason(guarded, "PolicyError", "AttemptTimeout", () => Effect.void)
  })

  test("accepts every operation for what decides at run time or was told to repeat all", () => {
    expect(Policy.run).type.toBeCallableWith(Hedge.whenSafe(), write, () => work)
    expect(Policy.run).type.toBeCallableWith(Policy.make({ hedge: {} }), unknownOperation, () => work)
    expect(Policy.run).type.toBeCallableWith(Retry.whenSafe({ times: 1 }), write, () => work)
    expect(Policy.run).type.toBeCallableWith(Retry.anyOperation({ times: 1 }), unknownOperation, () => work)
    expect(Policy.run).type.toBeCallableWith(Policy.make({ retry: { times: 1 } }), write, () => work)
  })
})

describe("Policy.compose", () => {
  test("joins errors, demands and repetition", () => {
    type Joined = Policy.Policy<
      PolicyError<DeadlineExceeded> | PolicyError<AttemptTimeout>,
      Operation.Operation & Operation.Idempotent,
      true
    >
    const inner = Policy.compose(Retry.make({ times: 1 }), Timeout.make(100))
    expect(Policy.compose(Deadline.make(1000), inner)).type.toBeAssignableTo<Joined>()
    expect(Deadline.make(1000).pipe(Policy.compose(inner))).type.toBeAssignableTo<Joined>()
    expect(Policy.compose(Deadline.make(1000), Timeout.make(100))).type.toBe<
      Policy.Policy<PolicyError<DeadlineExceeded> | PolicyError<AttemptTimeout>, Operation.Operation, false>
    >()
  })
})
