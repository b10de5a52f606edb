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
import * as Duration from "effect/Duration"
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
  /** By number, 1 to 26. Default: all. */
  readonly only?: ReadonlyArray<number> | undefined
  /** Of one behaviour, in real time; whatever is not decided by then has failed. Default 20 seconds. */
  readonly limit?: Duration.Input | undefined
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

const LONGEST_LIMIT = 3_600_000

const onlyOne = Semaphore.makeUnsafe(1)

/**
 * Tries the behaviours on a pool, one after the other. A pool that throws, hangs or lies fails; the effect does not.
 * It is interruptible between behaviours.
 *
 * Throws a `RangeError` for an option that is not allowed.
 *
 * @since 0.1.0
 * @category scoring
 */
export const run = (adapter: Adapter, options: Options = {}): Effect.Effect<Scorecard> => {
  const { limit = "20 seconds", only = cases.map(({ number }) => number), onVerdict } = options
  const millis = Duration.toMillis(Duration.fromInputUnsafe(limit))
  if (!(millis > 0 && millis <= LONGEST_LIMIT)) {
    throw new RangeError(`Conformance.run: limit is ${millis} ms, allowed is more than 0, and an hour at most`)
  }
  const unknown = only.find((number) => cases.every((one) => one.number !== number))
  if (unknown !== undefined) {
    throw new RangeError(`Conformance.run: only has ${unknown}, allowed are the integers from 1 to ${cases.length}`)
  }
  const tried = Effect.forEach(cases.filter(({ number }) => only.includes(number)), (one) =>
    Effect.map(
      onlyOne.withPermits(1)(Effect.uninterruptible(Effect.promise(() => runCase(adapter, one, millis)))),
      (found): Verdict => {
        const { about, name, number } = one
        const verdict = { behaviour: { number, name, about }, ...found }
        onVerdict?.(verdict)
        return verdict
      }
    ))
  return Effect.map(tried, (verdicts) => ({ name: adapter.name, version: adapter.version, verdicts }))
}

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
