/**
 * The metrics of a process with backends: their names and units, for whoever exports them, draws them or raises an alarm
 * by them. They are Effect's, and so in every exporter of Effect; they are read when somebody looks, from what pools and
 * policies count anyway, and cost a call nothing.
 *
 * A pool shows its own from when it is opened until it is closed; a registered backend those of its policies. A policy by
 * itself shows its own with `Policy.metrics`.
 *
 * Names are OpenTelemetry's where its semantic conventions have one, and begin with `breakwater.` where they do not. The
 * unit of a series is its attribute `unit`.
 *
 * ```ts
 * import { Metrics, Operation, Policy } from "@breakwater/core"
 * import { Effect, Metric } from "effect"
 *
 * const policy = Policy.make({ name: "payments", retry: { times: 2 } })
 * const charge = Operation.make("charge", { idempotent: true })
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   yield* Policy.metrics(policy)
 *   yield* Policy.apply(Effect.void, policy, charge)
 *   for (const { attributes, id, state } of yield* Metric.snapshot) {
 *     if (id === Metrics.policy.calls.id) console.log(attributes?.[Metrics.attributes.policy], state)
 *   }
 * }))
 * await Effect.runPromise(program) // => payments { count: 1, incremental: true }
 * ```
 *
 * @since 0.1.0
 */
export { attributes, type MetricName, operation, peers, policy, pool } from "../internal/metricNames.ts"
