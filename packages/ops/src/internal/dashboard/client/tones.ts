/** How bad an event is. */
import type { Tone as BackendTone } from "./sample.ts"
import type { Happening } from "./wire.ts"

/** Most events are neither good nor bad. */
export type Tone = BackendTone | "quiet"

/** What is no text is shown as JSON has it. */
export const textOf = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value) ?? ""

const failing = new Set([
  "DialFailed",
  "TimedOut",
  "Refused",
  "Shed",
  "Unavailable",
  "NestedRefused",
  "ClosedRefused",
  "Revoked",
  "Leaked",
  "RetriesExhausted",
  "DeadlineExceeded"
])

const strained = new Set([
  "Waited",
  "Cancelled",
  "RetryScheduled",
  "RetrySkipped",
  "AttemptTimedOut",
  "BulkheadRefused",
  "LimitRefused",
  "Throttled",
  "RateLimited",
  "FaultInjected",
  "HedgeSkipped",
  "Draining",
  "Paused"
])

const calm = new Set(["Resumed", "LeakReturned", "Recovered", "Drained"])

/** Connections that close for these reasons are no trouble. */
const ordinaryEnds = new Set(["Overflow", "Idle", "MaxLifetime", "Cleared", "Resized", "Drained"])

/** Nor for these, by kind of backend: servers end connections that nobody uses, and watchers leave. */
const ordinaryFor: Readonly<Record<string, ReadonlyArray<string>>> = {
  http: ["Broken", "PeerClosed"],
  websocket: ["PeerClosed", "Invalidated"]
}

const isOrdinaryEnd = (reason: string, kind: string): boolean =>
  ordinaryEnds.has(reason) || (ordinaryFor[kind] ?? []).includes(reason)

/** What an event says of how its backend does, beyond what is counted. Why, is known of connections only. */
export type Loss = { readonly what: "connection"; readonly why: string } | { readonly what: "dial" }

export const lossOf = ({ kind, reason, tag }: Happening): Loss | undefined => {
  if (tag === "DialFailed") return { what: "dial" }
  const why = textOf(reason)
  return tag === "Closed" && !isOrdinaryEnd(why, kind) ? { what: "connection", why } : undefined
}

export const toneOf = ({ kind, reason, tag, to }: Happening): Tone => {
  if (tag === "CircuitChanged") return to === "open" ? "failing" : to === "closed" ? "calm" : "strained"
  if (tag === "Closed") return isOrdinaryEnd(textOf(reason), kind) ? "quiet" : "strained"
  if (failing.has(tag)) return "failing"
  if (strained.has(tag)) return "strained"
  return calm.has(tag) ? "calm" : "quiet"
}
