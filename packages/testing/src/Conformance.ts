/**
 * Scores a connection pool, of any make, by 26 behaviours that a pool owes those who depend on it.
 *
 * Each behaviour is written once, against a small `Adapter`. Time is virtual: while a case runs, `setTimeout`, `Date`,
 * `performance.now` and the clocks of Effect read hands that only the case moves, so hours cost nothing and a verdict
 * does not depend on the machine. The server is the kit's own, in memory or on a port of the loopback where sockets are
 * what matters.
 *
 * Gotchas: the global timers are replaced meanwhile, so a process scores one pool at a time and does nothing else. A
 * pool that never gives the event loop back cannot be stopped from within: run one that you do not trust in a process
 * of its own.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Adapter } from "./internal/conformance/adapter.ts"
import { cases, runCase } from "./internal/conformance/run.ts"
import * as Table from "./internal/conformance/table.ts"

export type {
  Adapter,
  BorrowOptions,
  Connection,
  Event,
  Failure,
  Pool,
  Server,
  Setup,
  Stats,
  Use
} from "./internal/conformance/adapter.ts"

/**
 * What a pool should do.
 *
 * @since 0.1.0
 * @category models
 */
export interface Behaviour {
  /** From 1. */
  readonly number: number
  readonly name: string
  /** What is demanded, in a sentence. */
  readonly about: string
}

/**
 * What a pool did. It passes, or fails, or cannot be asked at all, as one that cannot be paused; `reason` says what was
 * measured and what was expected, and is empty where it passed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Verdict {
  readonly behaviour: Behaviour
  readonly result: "pass" | "fail" | "n/a"
  readonly reason: string
}

/**
 * A pool and its verdicts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Scorecard {
  readonly name: string
  readonly version: string | undefined
  readonly verdicts: ReadonlyArray<Verdict>
}

/**
 * Which behaviours to try, and how.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** By number. Default: all. */
  readonly only?: ReadonlyArray<number> | undefined
  /** Of one behaviour, in real milliseconds; whatever is not decided by then has failed. Default 20,000. */
  readonly limit?: number | undefined
  /** Called with each as it is reached. */
  readonly onVerdict?: ((verdict: Verdict) => void) | undefined
}

/**
 * The 26 behaviours.
 *
 * @since 0.1.0
 * @category behaviours
 */
export const behaviours: ReadonlyArray<Behaviour> = cases.map(({ about, name, number }) => ({ number, name, about }))

const onlyOne = Semaphore.makeUnsafe(1)

/**
 * Tries the behaviours on a pool, one after the other. A pool that throws, hangs or lies fails; the effect does not.
 * It is interruptible between behaviours.
 *
 * @since 0.1.0
 * @category scoring
 */
export const run = Effect.fnUntraced(function*(adapter: Adapter, options: Options = {}): Effect.fn.Return<Scorecard> {
  const { limit = 20_000, only, onVerdict } = options
  const chosen = cases.filter(({ number }) => only === undefined || only.includes(number))
  const verdicts: Array<Verdict> = []
  for (const one of chosen) {
    const { about, name, number } = one
    const found = yield* onlyOne.withPermits(1)(Effect.uninterruptible(
      Effect.promise(() => runCase(adapter, one, limit))
    ))
    const verdict: Verdict = { behaviour: { number, name, about }, ...found }
    verdicts.push(verdict)
    onVerdict?.(verdict)
  }
  return { name: adapter.name, version: adapter.version, verdicts }
})

/**
 * Who does what, as a table in Markdown: a line for each behaviour, a column for each pool, the sums below.
 *
 * @since 0.1.0
 * @category scoring
 */
export const table = (scorecards: ReadonlyArray<Scorecard>): string =>
  Table.render(
    ["#", "behaviour", ...scorecards.map(({ name }) => name)],
    [
      ...behaviours.map(({ name, number }) => [
        String(number),
        name,
        ...scorecards.map(({ verdicts }) => verdicts.find(({ behaviour }) => behaviour.number === number)?.result ?? "")
      ]),
      ["", "passed", ...scorecards.map(({ verdicts }) => String(verdicts.filter(passed).length))]
    ]
  )

const passed = ({ result }: Verdict): boolean => result === "pass"
