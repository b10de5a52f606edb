/** A plan carried out: requests on their way, what came of each, a look at it every second, and a report. */
import { OpenLoop } from "@breakwater/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import type { Plan } from "./plan.ts"
import * as Screen from "./screen.ts"
import { type Summary, Tally } from "./tally.ts"

export interface Report {
  readonly url: string
  readonly arrivals: Plan["arrivals"]
  readonly seed: number
  readonly phases: ReadonlyArray<OpenLoop.Phase & Summary>
  readonly requests: number
  /** Share of the requests that were due. */
  readonly success: number
  readonly passed: boolean
  /** It was ended before its last phase. */
  readonly cut: boolean
}

/** The status of an answer; fails with a word for why there is none. */
export type Send = (url: URL) => Effect.Effect<number, string>

const codeOf = (error: unknown): string => {
  const at = Predicate.hasProperty(error, "cause") && error.cause !== undefined ? error.cause : error
  return Predicate.hasProperty(at, "code") ? String(at.code) : at instanceof Error ? at.message : String(at)
}

/** No redirect is followed: it may lead away from this machine. */
export const send: Send = (url) =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(url, { signal, redirect: "manual" })
      await response.arrayBuffer()
      return response.status
    },
    catch: codeOf
  })

class Recorder {
  readonly phases: ReadonlyArray<Tally>
  private second = new Tally()
  inFlight = 0

  constructor(plan: Plan) {
    this.phases = plan.phases.map(() => new Tally())
  }

  add(phase: number, millis: number, failure: string | undefined): void {
    this.phases[phase]?.add(millis, failure)
    this.second.add(millis, failure)
  }

  summaries(): ReadonlyArray<Summary> {
    return this.phases.map((tally) => tally.summary())
  }

  nextSecond(): Summary {
    const summary = this.second.summary()
    this.second = new Tally()
    return summary
  }
}

const request = (plan: Plan, to: Send, record: Recorder) => ({ due, phase }: OpenLoop.Arrival): Effect.Effect<void> => {
  if (record.inFlight >= plan.mostInFlight) {
    return Effect.sync(() => record.add(phase, 0, "not sent: too many under way"))
  }
  record.inFlight++
  return Effect.gen(function*() {
    // What waited here before it was sent has so much less time left.
    const left = Math.max(0, due + plan.timeoutMillis - (yield* Clock.currentTimeMillis))
    const failure = yield* to(plan.url).pipe(
      Effect.timeoutOrElse({ duration: left, orElse: () => Effect.fail("timeout") }),
      Effect.match({ onFailure: (why) => why, onSuccess: (status) => status < 400 ? undefined : `status ${status}` })
    )
    record.add(phase, (yield* Clock.currentTimeMillis) - due, failure)
  }).pipe(Effect.ensuring(Effect.sync(() => record.inFlight--)))
}

const reportOf = (plan: Plan, summaries: ReadonlyArray<Summary>, cut: boolean): Report => {
  const sum = (of: "requests" | "ok") => summaries.reduce((total, summary) => total + summary[of], 0)
  const success = sum("requests") === 0 ? 0 : sum("ok") / sum("requests")
  const none = { requests: 0, ok: 0, failures: {}, millis: null }
  return {
    url: plan.url.href,
    arrivals: plan.arrivals,
    seed: plan.seed,
    phases: plan.phases.map((phase, index) => ({ ...phase, ...(summaries[index] ?? none) })),
    requests: sum("requests"),
    success,
    passed: !cut && success >= plan.success,
    cut
  }
}

export interface Surroundings {
  readonly send: Send
  readonly screen: ReturnType<typeof Screen.make>
  /** Ends the load early; what is under way is waited for. */
  readonly stop: Effect.Effect<unknown>
}

export const run = (plan: Plan, { screen, send: to, stop }: Surroundings): Effect.Effect<Report> =>
  Effect.gen(function*() {
    const record = new Recorder(plan)
    let cut = false
    let second = 0
    const look = Effect.sync(() => {
      const last = { name: `second ${++second}`, ...record.nextSecond() }
      screen.show(Screen.rows(plan, record.summaries()), last, record.inFlight)
    })
    const looking = yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sleep("1 second"), look)))
    yield* OpenLoop.run({
      phases: plan.phases,
      arrivals: plan.arrivals,
      call: request(plan, to, record),
      until: Effect.tap(stop, () =>
        Effect.sync(() => {
          cut = true
        }))
    }).pipe(Random.withSeed(plan.seed))
    yield* Fiber.interrupt(looking)
    const summaries = record.summaries()
    screen.end(Screen.rows(plan, summaries), record.inFlight)
    return reportOf(plan, summaries, cut)
  })
