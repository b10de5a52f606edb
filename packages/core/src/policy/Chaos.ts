/**
 * Breaks calls on purpose: delays them, fails them, or lets them hang. To see in a test, or on a part of the traffic, that
 * the policies around it do what they are there for.
 *
 * It stands innermost, in place of the driver, so that all other policies take its faults for the backend's. Which attempt
 * gets which fault is drawn from the seed alone: the nth attempt gets the same in every run. A fault without a share is
 * never drawn, and a chaos without any does nothing at all until `Policy.update` gives it one.
 *
 * ```ts
 * import { Operation, Policy } from "@breakwater/core"
 * import { Effect } from "effect"
 *
 * const policy = Policy.make({ retry: { times: 2 }, chaos: { seed: 1, error: { share: 0.5 } } })
 * const read = Operation.make("read", { idempotent: true })
 *
 * const calls = Effect.replicateEffect(Effect.exit(Policy.apply(Effect.void, policy, read)), 10)
 * await Effect.runPromise(calls)
 * console.log(Policy.snapshot(policy).faultsInjected > 0) // => true
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { seeded } from "../internal/seeded.ts"
import * as validate from "../internal/validate.ts"
import { merge } from "./internal/merge.ts"
import { type Call, fromStages, type Policy, type Stage } from "./internal/policy.ts"
import type { Operation } from "./Operation.ts"
import { type FaultInjected, PolicyError } from "./PolicyError.ts"

/**
 * Which faults, and how often. The shares are of all attempts, and together at most 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** A whole number, which decides everything that is random. */
  readonly seed: number
  /** Delays the work by `by`. */
  readonly latency?: { readonly share: number; readonly by: Duration.Input } | undefined
  /** Fails in place of the work, which does not begin. */
  readonly error?: { readonly share: number } | undefined
  /**
   * Neither works nor ends, for the timeout or the deadline to cut; where there is none it fails after `atMost`. Default 1
   * minute, a choice of ours: nothing waits without a bound.
   */
  readonly hang?: { readonly share: number; readonly atMost?: Duration.Input | undefined } | undefined
}

/**
 * What `Policy.update` may change. The draws go on: a fault that is switched off and on again does not begin anew.
 *
 * @category models
 * @since 0.1.0
 */
export type Settable = Omit<Options, "seed">

type Fault = FaultInjected["fault"]

const fail = (call: Call, fault: Exclude<Fault, "latency">) =>
  Effect.fail(
    new PolicyError<FaultInjected>({ _tag: "FaultInjected", operation: call.operation.name, fault, sent: "unknown" })
  )

const settingsOf = (options: Settable) => {
  const error = validate.share("error.share", options.error?.share ?? 0)
  const hang = validate.share("hang.share", options.hang?.share ?? 0)
  const latency = validate.share("latency.share", options.latency?.share ?? 0)
  const total = error + hang + latency
  if (total > 1) validate.refuse("share", total, "at most 1 for all faults together")
  return {
    isOff: total === 0,
    by: validate.duration("latency.by", options.latency?.by ?? 1),
    atMost: validate.duration("hang.atMost", options.hang?.atMost ?? "1 minute"),
    faultOf: (draw: number): Fault | undefined => {
      if (draw < error) return "error"
      if (draw < error + hang) return "hang"
      return draw < total ? "latency" : undefined
    }
  }
}

const stage = (options: Options): Stage => {
  let given: Settable = options
  let settings = settingsOf(options)
  const next = seeded(validate.integer("seed", options.seed, Number.MIN_SAFE_INTEGER))
  const broken = <A, E, R>(work: Effect.Effect<A, E, R>, call: Call): Effect.Effect<A, E | PolicyError, R> =>
    Effect.suspend((): Effect.Effect<A, E | PolicyError, R> => {
      const { atMost, by, faultOf } = settings
      const fault = faultOf(next())
      if (fault === undefined) return work
      call.record("faultsInjected", (common) => ({ ...common, _tag: "FaultInjected", fault }))
      if (fault === "latency") return Effect.delay(work, by)
      return fault === "error" ? fail(call, fault) : Effect.delay(fail(call, fault), atMost)
    })
  return {
    kind: "Chaos",
    inside: (work, call) => settings.isOff ? work : broken(work, call),
    update: (changed: Settable) => {
      const merged = merge(given, changed)
      const replaced = settingsOf(merged)
      return {
        apply: () => {
          given = merged
          settings = replaced
        }
      }
    }
  }
}

/**
 * A source of faults, shared by all calls through the policy. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Policy<PolicyError<FaultInjected>, Operation, false> =>
  fromStages("chaos", [stage(options)])
