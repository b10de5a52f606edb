/** The state of a backend's policies in a few words each. */
import { count } from "./format.ts"
import type { Tone } from "./sample.ts"
import type { Circuit, PolicyState } from "./wire.ts"

export interface ChipView {
  readonly name: string
  readonly value: string
  readonly tone: Tone
}

const circuitTones = { closed: "calm", "half-open": "strained", open: "failing" } as const

const circuitChip = ({ mode, state }: Circuit): ChipView => {
  if (mode === "forcedOpen") return { name: "Breaker", value: "held open", tone: "failing" }
  if (mode === "disabled") return { name: "Breaker", value: "off", tone: "calm" }
  if (mode === "metricsOnly") return { name: "Breaker", value: `${state}, only watching`, tone: "calm" }
  return { name: "Breaker", value: state, tone: circuitTones[state] }
}

const queue = (waiting: number) => waiting > 0 ? `, ${count(waiting)} waiting` : ""

const strainedIf = (is: boolean): Tone => is ? "strained" : "calm"

const share = (part: number, whole: number) => whole === 0 ? 100 : Math.min(100, Math.round((part / whole) * 100))

export const chipsOf = (policy: PolicyState): ReadonlyArray<ChipView> => {
  const { adaptiveLimit, bulkhead, circuit, rateLimit, retryBudget, throttle } = policy
  const chips: Array<ChipView> = []
  if (circuit !== undefined) chips.push(circuitChip(circuit))
  if (adaptiveLimit !== undefined) {
    const { limit, running, waiting } = adaptiveLimit
    const value = `${count(running)} of ${count(Math.round(limit))}${queue(waiting)}`
    chips.push({ name: "Limit", value, tone: strainedIf(waiting > 0) })
  }
  if (bulkhead !== undefined) {
    const { keys, permits, running, waiting } = bulkhead
    const most = keys === undefined ? `of ${count(permits)}` : `on ${count(keys)} keys, ${count(permits)} each`
    const value = `${count(running)} ${most}${queue(waiting)}`
    chips.push({ name: "Bulkhead", value, tone: strainedIf(waiting > 0) })
  }
  if (throttle !== undefined) {
    const accepted = share(throttle.accepts, throttle.requests)
    chips.push({ name: "Throttle", value: `${accepted} % accepted`, tone: strainedIf(accepted < 90) })
  }
  if (rateLimit !== undefined) {
    const value = rateLimit.waiting === 0 ? "nobody waits" : `${count(rateLimit.waiting)} waiting`
    chips.push({ name: "Rate limit", value, tone: strainedIf(rateLimit.waiting > 0) })
  }
  if (retryBudget !== undefined) {
    const value = `${count(Math.floor(retryBudget.balance))} left`
    chips.push({ name: "Retry budget", value, tone: strainedIf(retryBudget.balance < 1) })
  }
  return chips
}
