import { assert, describe, it } from "@effect/vitest"
import { gradient } from "../src/policy/AdaptiveLimit.ts"
import { Baseline } from "../src/policy/internal/baseline.ts"
import { type Ending, type LimitSettings, LimitState, Probe, type Sample } from "../src/policy/internal/limitState.ts"

const make = ({ initial = 20, ...options }: Partial<LimitSettings> & { readonly initial?: number } = {}) =>
  new LimitState({ min: 1, max: 1000, window: 1000, algorithm: gradient, ...options }, initial)

/** Calls that come at this rate, one as soon as there is a permit, and what they take by how many run. */
const drive = (
  state: LimitState,
  from: number,
  seconds: number,
  perSecond: number,
  took: (running: number) => number,
  ending: Ending = "answered"
): number => {
  const running = new Set<{ readonly sample: Sample; readonly endsAt: number }>()
  for (let now = from; now < from + 1000 * seconds; now++) {
    for (const call of running) {
      if (call.endsAt > now) continue
      running.delete(call)
      state.ended(call.sample, ending, now)
    }
    for (let due = Math.floor((now + 1) * perSecond / 1000) - Math.floor(now * perSecond / 1000); due > 0; due--) {
      const blocked = running.size >= state.permits
      state.arrived(blocked)
      if (blocked) continue
      const sample: Sample = { startedAt: 0, unloaded: false, probe: undefined }
      state.started(sample, running.size + 1, now)
      running.add({ sample, endsAt: now + Math.round(took(running.size)) })
    }
  }
  return from + 1000 * seconds
}

/** A server with so many threads, on each of which a call takes so long. */
const server = (threads: number, millis: number) => (running: number) => millis * Math.max(1, running / threads)

describe("the state of an adaptive limit", () => {
  it("doubles until calls take longer, so that a capable backend is used soon", () => {
    const state = make()
    const now = drive(state, 0, 4, 4000, server(100, 50))
    assert.isAbove(state.limit, 100)
    drive(state, now, 6, 4000, server(100, 50))
    assert.closeTo(state.limit, 110, 15)
  })

  it("falls to what keeps the backend busy and little more", () => {
    const state = make({ initial: 200 })
    drive(state, 0, 2, 10, server(12, 100)) // learns what a call takes
    drive(state, 2000, 10, 1000, server(12, 100))
    assert.closeTo(state.limit, 12 + Math.sqrt(12), 3)
  })

  it("begins its first window with the first call, so that the baseline is not that of the calls that end first", () => {
    const state = make()
    // Of each ten calls one takes 300 milliseconds, and nine take ten.
    let calls = 0
    drive(state, 1_000_000, 1.2, 4000, () => ++calls % 10 === 0 ? 300 : 10)
    assert.closeTo(state.baseline.millis, 39, 10)
  })

  it("keeps a limit when an algorithm of one's own gives no number", () => {
    const state = make({ algorithm: { next: () => NaN, usesUnloaded: true } })
    const now = drive(state, 0, 3, 10, () => 20)
    drive(state, now, 10, 4000, () => 2000)
    assert.strictEqual(state.permits, 20)
  })

  it("leaves a limit that is not used as it is", () => {
    const state = make()
    drive(state, 0, 60, 50, server(100, 20))
    assert.strictEqual(state.limit, 20)
  })

  it("never goes beyond its bounds", () => {
    const state = make({ min: 10, max: 30 })
    const now = drive(state, 0, 10, 4000, server(1000, 50))
    assert.strictEqual(state.limit, 30)
    drive(state, now, 20, 4000, server(1, 10))
    assert.strictEqual(state.limit, 10)
  })

  it("learns that calls take longer than they did, also while it is fully used", () => {
    const state = make()
    let now = drive(state, 0, 10, 100, server(12, 50))
    now = drive(state, now, 10, 200, server(12, 150))
    assert.closeTo(state.baseline.millis, 150, 10)
    assert.closeTo(state.limit, 12 + Math.sqrt(12), 3)
    // A change by less than what is suspicious at once.
    drive(state, now, 10, 200, server(12, 260))
    assert.closeTo(state.baseline.millis, 260, 20)
    assert.closeTo(state.limit, 12 + Math.sqrt(12), 3)
  })

  it("does not believe an overloaded backend a latency of more than ten times what is healthy", () => {
    const state = make()
    const now = drive(state, 0, 10, 100, () => 20)
    drive(state, now, 600, 100, () => 2000)
    assert.strictEqual(state.baseline.millis, 200)
    assert.strictEqual(state.permits, 1)
  })

  it("believes any latency of a backend that has room for every call", () => {
    const state = make()
    const now = drive(state, 0, 10, 100, () => 20)
    drive(state, now, 600, 2, () => 2000)
    assert.closeTo(state.baseline.millis, 2000, 50)
    assert.strictEqual(state.limit, 20)
  })

  it("falls by half with each window in which everything was dropped, and comes back when that is over", () => {
    const state = make()
    let now = drive(state, 0, 10, 100, () => 20)
    now = drive(state, now, 3, 100, () => 100, "dropped")
    assert.isAtMost(state.limit, 5)
    now = drive(state, now, 120, 100, () => 100, "dropped")
    assert.strictEqual(state.permits, 1)
    assert.closeTo(state.baseline.millis, 20, 1)
    drive(state, now, 10, 500, server(10, 20))
    assert.isAtLeast(state.limit, 9)
  })

  it("learns nothing from calls that say nothing", () => {
    const state = make()
    const now = drive(state, 0, 10, 100, () => 20)
    drive(state, now, 60, 4000, () => 1, "unknown")
    assert.closeTo(state.baseline.millis, 20, 1)
    assert.strictEqual(state.limit, 20)
  })

  it("learns nothing from a probe most of whose calls were dropped", () => {
    const baseline = new Baseline()
    baseline.start(50, 10)
    const probe = new Probe(0)
    for (let n = 0; n < 30; n++) {
      probe.begin(n)
      probe.end(500, n < 10)
    }
    probe.learn(baseline)
    assert.strictEqual(baseline.millis, 50)
  })

  it("ends a probe some of whose calls hang", () => {
    const state = make()
    let now = drive(state, 0, 10, 100, server(12, 50))
    // The latency is suspicious: a probe begins with the end of this second, and its first call hangs.
    now = drive(state, now, 2, 200, server(12, 150))
    const hanging: Sample = { startedAt: 0, unloaded: false, probe: undefined }
    now = drive(state, now, 30, 200, server(12, 450))
    state.started(hanging, 1, now)
    drive(state, now, 60, 200, server(12, 900))
    assert.closeTo(state.baseline.millis, 500, 100)
  })

  it("does not hold the calls begun under the former limit against the present one", () => {
    const state = make({ initial: 100, min: 1 })
    let now = drive(state, 0, 3, 10, () => 100)
    now = drive(state, now, 1, 1000, server(10, 100)) // all take about a second: the window ends later
    drive(state, now, 2, 1000, server(10, 100))
    assert.isAbove(state.limit, 10)
  })
})
