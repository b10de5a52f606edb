/**
 * What several policies did together, and how things stand: of circuits and limits as the worst has it, of what counts
 * calls the sum.
 *
 * @internal
 */
import * as Policy from "@breakwater/core/Policy"
import * as Duration from "effect/Duration"

type Snapshot = Policy.Snapshot

type Join = (a: Snapshot, b: Snapshot) => Partial<Snapshot>

const join = <A>(
  of: (snapshot: Snapshot) => A | undefined,
  merge: (a: A, b: A) => A,
  shown: (state: A) => Partial<Snapshot>
): Join =>
(a, b) => {
  const [one, other] = [of(a), of(b)]
  const state = one === undefined || other === undefined ? one ?? other : merge(one, other)
  return state === undefined ? {} : shown(state)
}

const larger = <A>(size: (of: A) => number) => (a: A, b: A): A => size(b) > size(a) ? b : a

const RANK = { closed: 0, "half-open": 1, open: 2 }

/** How full what has a bound is, those that wait for it included. */
const fuller = <A extends { readonly running: number; readonly waiting: number }>(bound: (of: A) => number) =>
  larger<A>((of) => (of.running + of.waiting) / bound(of))

const joins: ReadonlyArray<Join> = [
  join(({ circuit }) => circuit, larger(({ state }) => RANK[state]), (circuit) => ({ circuit })),
  join(({ bulkhead }) => bulkhead, fuller(({ permits }) => permits), (bulkhead) => ({ bulkhead })),
  join(({ adaptiveLimit }) => adaptiveLimit, fuller(({ limit }) => limit), (adaptiveLimit) => ({ adaptiveLimit })),
  join(
    ({ throttle }) => throttle,
    (a, b) => ({ requests: a.requests + b.requests, accepts: a.accepts + b.accepts }),
    (throttle) => ({ throttle })
  ),
  join(
    ({ rateLimit }) => rateLimit,
    (a, b) => ({ keys: a.keys + b.keys, waiting: a.waiting + b.waiting }),
    (rateLimit) => ({ rateLimit })
  ),
  join(({ retryBudget }) => retryBudget, larger(({ balance }) => -balance), (retryBudget) => ({ retryBudget })),
  join(({ hedgeAfter }) => hedgeAfter, Duration.max, (hedgeAfter) => ({ hedgeAfter }))
]

export const together = (a: Snapshot, b: Snapshot): Snapshot =>
  Object.assign({}, Policy.addCounts(a, b), ...joins.map((of) => of(a, b)))

/** Of what is no more: it did something, and has no state. */
export const withoutState = (snapshot: Snapshot): Snapshot => Policy.addCounts(snapshot, NOTHING)

const NOTHING = Policy.snapshot(Policy.make({}))
