import { assert, describe, it } from "@effect/vitest"
import * as Conclusion from "../storm/Conclusion.ts"
import * as Report from "../storm/Report.ts"
import type { Outcome } from "../storm/run.ts"
import * as Screen from "../storm/Screen.ts"
import { Tally } from "../storm/Tally.ts"

const tally = (ok: number, failed: number): Tally => {
  const all = new Tally()
  const sample = { kind: "read", began: 0, ended: 12_345 } as const
  for (let n = 0; n < ok; n++) all.add(sample, Infinity)
  for (let n = 0; n < failed; n++) {
    all.add({ ...sample, failure: { how: "typed", name: "HttpClientError.StatusCodeError" } }, Infinity)
  }
  return all
}

const reportOf = (recoveredWithinMs: Report.Report["recoveredWithinMs"]): Report.Report =>
  Report.make({
    seconds: 40,
    total: tally(900, 100),
    orders: { acknowledged: 300, lost: 0, doubled: 0, unpaid: 0 },
    connectionsOpened: { storefront: 120, cache: 8 },
    breakerOpened: { storefront: 3 },
    socketsLeft: 0,
    recoveredWithinMs,
    leftOut: [{ name: "redis.cut", why: "there is no redis-server here" }],
    mongodb: "responder",
    rows: [{ label: "Postgres killed", tally: tally(90, 10), recovered: 120 }]
  })

describe("the report", () => {
  it("names each fault by its backend, and those of Postgres also as the first reports did", () => {
    const { leftOut, recoveredWithinMs } = reportOf({
      "postgres.kill": 120,
      "http.slow": 30,
      "redis.kill+http.refused": 7
    })
    assert.deepStrictEqual(recoveredWithinMs, {
      "kill": 120,
      "postgres.kill": 120,
      "http.slow": 30,
      "redis.kill+http.refused": 7
    })
    assert.deepStrictEqual(leftOut, { "redis.cut": "there is no redis-server here" })
  })

  it("says of each stage what failed in it", () => {
    assert.deepStrictEqual(reportOf({}).stages, [{
      stage: "Postgres killed",
      requests: 100,
      ok: 90,
      failures: { "HttpClientError.StatusCodeError": 10 },
      p50: 12_345,
      p99: 12_345
    }])
  })

  it("fails once for a fault that was not survived, however many names that has", () => {
    const { exitCode, report } = { exitCode: 0, report: reportOf({ "postgres.kill": null, "mongodb.kill": 5001 }) }
    assert.deepStrictEqual(Report.faultsOf(report, exitCode), [
      "no recovery from \"postgres.kill\" within 5 s",
      "no recovery from \"mongodb.kill\" within 5 s"
    ])
  })
})

describe("the screen", () => {
  const widest = (text: string): number => Math.max(...text.split("\n").map((line) => line.length))

  it("fits a second into a terminal of 80 columns, whatever happens in it", () => {
    const stats = {
      storefront: {
        pool: { used: 10, idle: 0, waiting: 200, max: 10, opened: 12 },
        policy: { circuitOpened: 3, circuit: { state: "open" } }
      }
    }
    assert.isAtMost(widest(Screen.header), 80)
    assert.isAtMost(widest(Screen.second(600, "SIGTERM, statements hang, and more", tally(9000, 1000), stats)), 80)
    assert.include(Screen.second(1, "steady load", tally(1, 0), stats), "open: storef")
    assert.include(Screen.second(1, "steady load", tally(1, 1), stats), "StatusCodeErr")
  })

  it("fits the conclusion, also where two storms stand side by side", () => {
    const outcome: Outcome = {
      report: reportOf({ "postgres.kill": 120 }),
      rows: [{ label: "Redis and payments gone", tally: tally(9000, 1000), recovered: 12_345 }],
      exitCode: 0
    }
    assert.isAtMost(widest(Conclusion.show(outcome)), 80)
    assert.isAtMost(widest(Conclusion.compare(outcome, outcome)), 80)
    assert.match(Conclusion.show(outcome), /PASSED: 900 of 1000[^]*redis\.cut[^]*left[^]*stand-in/)
  })
})
