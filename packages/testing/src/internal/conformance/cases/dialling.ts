/**
 * When a pool dials: for whom, how often, and how it comes back after an outage.
 *
 * @internal
 */
import type { Connection } from "../adapter.ts"
import type { Case } from "../behaviour.ts"
import { type Ending, inMillis, textOf, type Trial } from "../trial.ts"

const keepsDial: Case = {
  number: 7,
  name: "A cancelled borrow keeps its dial",
  about: "A dial of 200 ms whose caller gave up after 50 ms ends as an idle connection, and serves the next caller.",
  run: async (t) => {
    t.server.dialTime = 200
    await keptDial(t, 50, () => {}, "a caller whose time was over")
    const controller = new AbortController()
    if (t.accepts("signal")) await keptDial(t, 10_000, () => controller.abort(), "a caller who left", controller.signal)
  }
}

const keptDial = async (t: Trial, timeout: number, leave: () => void, who: string, signal?: AbortSignal) => {
  const before = t.server.dials
  const pool = await t.make({ max: 1, timeout })
  const first = t.borrow(pool, { signal })
  await t.time.advance(50)
  leave()
  await t.time.advance(200)
  t.expect(first.state === "failed" && first.took <= 50, `${who} was not told after 50 ms`)
  const { idle } = pool.stats()
  t.expect(idle === 1, `after ${who}: ${idle} idle connections, expected 1`)
  const second = t.borrow(pool)
  await t.time.settle()
  t.expect(second.state === "done", `after ${who}: the next was not served at once`)
  const dials = t.server.dials - before
  t.expect(dials === 1, `after ${who}: ${dials} dials, expected 1`)
}

const percentile = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Infinity

const returnBeatsDial: Case = {
  number: 8,
  name: "A return beats a dial",
  about: "5 open connections, room for 50, dials of 150 ms, 50 requests of 2 ms at once: at most 2 new connections, " +
    "95 % served within 30 ms.",
  run: async (t) => {
    const pool = await t.warm(5, { max: 50, timeout: 10_000 })
    t.server.dialTime = 150
    const before = t.server.dials
    const requests = Array.from({ length: 50 }, () => t.work(pool, (connection) => connection.send("WORK 2")))
    await t.time.advance(1000)
    const p95 = percentile(requests.map(({ took }) => took), 0.95)
    const opened = t.server.dials - before
    const unserved = requests.filter(({ state }) => state !== "done").length
    t.expect(unserved === 0, `${unserved} of ${requests.length} requests were not served`)
    t.expect(opened <= 2, `${opened} new connections`)
    t.expect(p95 <= 30, `95 % took up to ${inMillis(p95)}`)
  }
}

/** The most dials that began within any one second. */
const dialsPerSecond = (times: ReadonlyArray<number>): number => {
  let most = 0
  let from = 0
  times.forEach((time, index) => {
    while (time - times[from]! >= 1000) from++
    most = Math.max(most, index - from + 1)
  })
  return most
}

const namesCause = (t: Trial, error: unknown): boolean =>
  [error, error instanceof Error ? error.cause : undefined, t.describe(error).connectError].some((each) =>
    each !== undefined && /refused/i.test(textOf(each))
  )

const deadServer: Case = {
  number: 10,
  name: "A dead server is cheap",
  about: "10,000 callers while every dial is refused: one dial at a time, at most 10 a second, and everyone is told " +
    "within the deadline, with what the dial said.",
  run: async (t) => {
    await t.server.setMode("refuses")
    const pool = await t.make({ max: 10, timeout: 10_000, maxWaiting: 20_000 })
    const cheap = () => {
      const most = dialsPerSecond(t.server.dialTimes)
      t.expect(t.server.peakDialling <= 1, `${t.server.peakDialling} dials at once`)
      t.expect(most <= 10, `${most} dials within a second`)
    }
    // A few first: who dials without end with these would only take longer with all.
    const callers: Array<Ending<unknown>> = Array.from({ length: 100 }, () => t.borrow(pool))
    await t.time.advance(1000)
    cheap()
    if (t.problems.length > 0) return
    for (let n = 0; n < 9900; n++) callers.push(t.borrow(pool))
    await t.time.advance(10_000)
    cheap()
    const untold = callers.filter(({ state, took }) => state !== "failed" || took > 10_000).length
    t.expect(untold === 0, `${untold} callers were not told within the deadline`)
    const causeless = callers.filter(({ error, state }) => state === "failed" && !namesCause(t, error)).length
    t.expect(causeless === 0, `${causeless} callers were not told what the dial said`)
  }
}

const ramp: Case = {
  number: 11,
  name: "Recovery ramps",
  about:
    "After an outage of 60 s, with 10,000 callers at once, the dials in flight are 1, 2, 4 … with every success; " +
    "the first succeeds within a second of the return, and nobody fails from then on.",
  run: async (t) => {
    const pool = await t.warm(16, {
      max: 16,
      timeout: 60_000,
      maxWaiting: 20_000,
      failFast: false,
      dialConcurrency: 8
    })
    const request = (connection: Connection) => connection.send("WORK 5")
    await t.server.setMode("refuses")
    t.server.kill("reset")
    t.server.dialTime = 20
    for (let second = 0; second < 60; second++) {
      for (let n = 0; n < 5; n++) t.work(pool, request)
      await t.time.advance(1000)
    }
    await t.server.setMode("accepts")
    const returnedAt = t.time.now()
    let firstAt = Infinity
    let ahead = 1
    let steepest = ""
    t.server.onChange = () => {
      const { dialling, open } = t.server
      if (open > 0) firstAt = Math.min(firstAt, t.time.now())
      // One more with every success: a round of dials that all succeed then doubles the next.
      if (dialling - open <= ahead) return
      ahead = dialling - open
      steepest = `${dialling} dials in flight after ${open} successes`
    }
    const callers = Array.from({ length: 10_000 }, () => t.work(pool, request))
    await t.time.advance(30_000)
    t.expect(steepest === "", steepest)
    const after = firstAt - returnedAt
    t.expect(after <= 1000, `it took ${inMillis(after)} until the first connection`)
    const unserved = callers.filter(({ state }) => state !== "done").length
    t.expect(unserved === 0, `${unserved} of ${callers.length} callers were not served after the return`)
  }
}

export const dialling: ReadonlyArray<Case> = [keepsDial, returnBeatsDial, deadServer, ramp]
