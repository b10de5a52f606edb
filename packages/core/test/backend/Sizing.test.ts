/** Every row and worked example of the guides, the law that measurements are sized by, and what bounds a size. */
import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import * as Sizing from "../../src/backend/Sizing.ts"

const kinds = (advice: Sizing.Advice) => advice.findings.map(({ kind }) => kind)

const said = (advice: Sizing.Advice, kind: Sizing.Finding["kind"]) =>
  advice.findings.filter((finding) => finding.kind === kind).map(({ says }) => says).join("\n")

describe("The guides' formula for cores", () => {
  it.each<readonly [cores: number, formula: number, use: readonly [number, number]]>([
    [2, 5, [10, 10]],
    [4, 9, [20, 20]],
    [8, 17, [30, 50]]
  ])("gives for %i cores %i, and says to use %j", (cores, formula, use) => {
    assert.deepStrictEqual(Sizing.byCores(cores), { formula, use })
    const advice = Sizing.advise({ server: { cores } })
    assert.deepStrictEqual([advice.limit, advice.change], [use[0], "set"])
  })

  it("counts spindles, and goes on as the given figures do where the guides give none", () => {
    assert.deepStrictEqual(Sizing.byCores(8, 4), { formula: 20, use: [30, 50] })
    assert.deepStrictEqual(Sizing.byCores(16, 0), { formula: 32, use: [64, 64] })
  })

  it("is of the server, which all processes share", () => {
    assert.strictEqual(Sizing.advise({ server: { cores: 4 }, deployment: { replicas: 4 } }).limit, 5)
  })

  it("contradicts the best practices of the same guide for 4 cores, and the advice says so, for no other", () => {
    const contradiction = said(Sizing.advise({ server: { cores: 4 } }), "contradiction")
    for (const figure of ["gives 9", "use 20", "say 10"]) assert.include(contradiction, figure)
    assert.notInclude(kinds(Sizing.advise({ server: { cores: 2 } })), "contradiction")
  })
})

type Row = readonly [
  scale: Sizing.Scale,
  rates: ReadonlyArray<number>,
  users: ReadonlyArray<number>,
  replicas: Sizing.Range,
  limit: Sizing.Range,
  total: Sizing.Range,
  maxConnections: number,
  pooler: Sizing.Advice["pooler"]
]

const rows: ReadonlyArray<Row> = [
  ["small", [0, 1, 9.9], [0, 1, 99], [1, 2], [10, 10], [10, 20], 50, "optional"],
  ["medium", [10, 99.9], [100, 999], [2, 4], [20, 30], [40, 120], 150, "recommended"],
  ["large", [100, 499], [1000, 9999], [4, 8], [30, 50], [120, 400], 500, "required"],
  ["enterprise", [500, 5000], [10_000, 1e6], [8, undefined], [50, 100], [400, undefined], 1000, "required"]
]

describe("The guides' table", () => {
  it.each(rows)("has this row: %s", (scale, rates, users, replicas, limit, total, maxConnections, pooler) => {
    const { [scale]: row } = Sizing.scales
    assert.deepStrictEqual(row.replicas, replicas)
    assert.deepStrictEqual(row.limit, limit)
    assert.deepStrictEqual(row.total, total)
    const server = { maxConnections: 2000 }
    for (const load of [...rates.map((rate) => ({ rate })), ...users.map((count) => ({ users: count }))]) {
      const few = Sizing.advise({ load, server, deployment: { replicas: replicas[0] } })
      assert.deepStrictEqual([few.scale, few.limit, few.total], [scale, limit[0], total[0]])
      assert.deepStrictEqual([few.pooler], [pooler])
      const onItsOwn = Sizing.advise({ load, server: { maxConnections: 50 }, deployment: { replicas: replicas[0] } })
      assert.strictEqual(onItsOwn.maxConnections, maxConnections)
    }
  })

  it("comes to its own totals: the limit of each process times the replicas", () => {
    for (const { limit, replicas, total } of Object.values(Sizing.scales)) {
      assert.strictEqual(limit[0] * replicas[0], total[0])
      if (limit[1] !== undefined && replicas[1] !== undefined) assert.strictEqual(limit[1] * replicas[1], total[1])
    }
  })

  it("has no word for a load that nobody knows", () => {
    assert.isUndefined(Sizing.scaleOf({}))
    assert.deepStrictEqual(Sizing.advise({}).limit, 10)
  })

  it("takes the larger of two scales, and says so", () => {
    assert.strictEqual(Sizing.scaleOf({ rate: 5, users: 5000 }), "large")
    assert.strictEqual(Sizing.scaleOf({ rate: 600, users: 5 }), "enterprise")
    assert.include(
      said(Sizing.advise({ load: { rate: 5, users: 5000 } }), "contradiction"),
      "this rate small and this many users large"
    )
  })

  it("is bounded by the server's cores, and says that the guide means both", () => {
    const situation = { load: { rate: 50 }, server: { cores: 8 }, deployment: { replicas: 4 } }
    const advice = Sizing.advise(situation)
    assert.deepStrictEqual([advice.limit, advice.total], [12, 48])
    assert.include(said(advice, "contradiction"), "comes to 80 connections in all, and its figures for 8 cores to 50")
    const behind = Sizing.advise({ ...situation, server: { cores: 8, pooler: true } })
    assert.deepStrictEqual([behind.limit, kinds(behind)], [20, ["basis"]])
  })

  it("says the smaller is enough where a process has more than the row's end, and leaves alone what is within", () => {
    const load = { users: 500 }
    const of = (max: number) => Sizing.advise({ load, pool: { max }, server: { maxConnections: 200 } })
    assert.deepStrictEqual([10, 20, 30, 31].map((max) => of(max).change), ["grow", "keep", "keep", "shrink"])
    assert.deepStrictEqual([10, 25, 31].map((max) => of(max).limit), [20, 25, 20])
  })
})

describe("The guides' worked examples", () => {
  it("three pods of 20 are 60, which fits", () => {
    const advice = Sizing.advise({ deployment: { replicas: 3 }, pool: { max: 20 } })
    assert.deepStrictEqual([advice.total, advice.change, said(advice, "limit")], [60, "keep", ""])
  })

  it("leaves room for what is reserved, also where that is more than the services have", () => {
    const { maxConnections } = Sizing.advise({ server: { maxConnections: 100, reserved: 99 }, pool: { max: 2 } })
    assert.strictEqual(maxConnections, 150)
  })

  it("five services of 20 are all that Postgres has, and three of those are reserved: 200 are advised", () => {
    const advice = Sizing.advise({ deployment: { services: 5 }, pool: { max: 20 } })
    assert.include(
      said(advice, "limit"),
      "20 x 5 processes = 100 connections, and the server takes 100, 3 of them reserved"
    )
    assert.include(said(advice, "limit"), "restart, not a reload")
    assert.deepStrictEqual([advice.limit, advice.change, advice.maxConnections], [19, "shrink", 200])
    const larger = Sizing.advise({ deployment: { services: 5 }, pool: { max: 20 }, server: { maxConnections: 200 } })
    assert.deepStrictEqual([larger.limit, larger.change, larger.maxConnections], [20, "keep", 200])
  })

  it("100 connections of 4 MB and 2 workers are 800 MB", () => {
    assert.strictEqual(Sizing.memory(100), 800 * 1024 * 1024)
    const available = 400 * 1024 * 1024
    const advice = Sizing.advise({ pool: { max: 90 }, server: { memory: { available } } })
    assert.include(said(advice, "limit"), "90 connections may take 720 MiB of the server's 400 MiB")
    assert.deepStrictEqual([advice.limit, advice.memory], [50, available])
  })

  it("PgBouncer is for more than 50 connections, and how it is set up", () => {
    const of = (max: number) => Sizing.advise({ pool: { max } })
    assert.deepStrictEqual([50, 51].map((max) => of(max).pooler), ["optional", "recommended"])
    assert.include(said(of(51), "setting"), "PgBouncer in transaction mode")
    assert.deepStrictEqual(Sizing.pooler, {
      POOL_MODE: "transaction",
      MAX_CLIENT_CONN: 1000,
      DEFAULT_POOL_SIZE: 25
    })
  })

  it("the text's 50 and the table's scales differ at times: the stricter counts", () => {
    const few = Sizing.advise({ load: { rate: 50 }, deployment: { replicas: 2 } })
    assert.deepStrictEqual([few.total, few.pooler], [40, "recommended"])
    assert.include(said(few, "contradiction"), "medium scale the guide's table calls a pooler recommended")
    const many = Sizing.advise({ load: { rate: 5 }, deployment: { replicas: 6 } })
    assert.deepStrictEqual([many.total, many.pooler], [60, "recommended"])
    assert.include(said(many, "contradiction"), "small scale the guide's table calls a pooler optional")
  })
})

/** How probable it is that no more than `most` are busy when `mean` are in the mean. */
const poisson = (mean: number, most: number): number => {
  let term = Math.exp(-mean)
  let sum = term
  for (let k = 1; k <= most; k++) sum += term *= mean / k
  return sum
}

describe("Little's law", () => {
  it("is the rate times the hold", () => {
    assert.deepStrictEqual(Sizing.byLoad(200, "20 millis"), { mean: 4, limit: 8 })
    assert.deepStrictEqual(Sizing.byLoad(0, "1 second"), { mean: 0, limit: 1 })
  })

  it("leaves room for 95 % of the moments when calls come independently, and for little more than needed", () => {
    for (const mean of [0.01, 0.1, 0.5, 1, 2, 3.7, 5, 10, 25, 60, 120, 300]) {
      const { limit } = Sizing.byLoad(mean, "1 second")
      assert.isAbove(poisson(mean, limit), 0.95, `mean ${mean}`)
      assert.isBelow(limit - mean, 2 * Math.sqrt(mean) + 1, `mean ${mean}`)
    }
  })

  it("shares the load among the replicas, and beats the table", () => {
    const advice = Sizing.advise({ load: { rate: 800, hold: "20 millis" }, deployment: { replicas: 2 } })
    assert.deepStrictEqual([advice.limit, advice.total, advice.scale], [14, 28, "enterprise"])
    assert.include(said(advice, "basis"), "800 a second over 2 replicas, each held for 20ms, keep 8 connections")
    const measured = Sizing.advise({ load: { rate: 800, hold: Duration.millis(9.16134) } })
    assert.include(said(measured, "basis"), "each held for 9.16ms, keep 7.33 connections")
  })

  it("a surge needs room at the server, and brings no load", () => {
    const load = { rate: 800, hold: "20 millis" } as const
    const server = { maxConnections: 40 }
    assert.strictEqual(Sizing.advise({ load, server, deployment: { replicas: 2 } }).limit, 14)
    const surging = Sizing.advise({ load, server, deployment: { replicas: 2, surge: 1 } })
    assert.deepStrictEqual([surging.limit, surging.processes], [12, 3])
    assert.include(said(surging, "limit"), "14 x 3 processes = 42")
  })

  it("tells a load that the server's cores cannot do, whatever the pool's size", () => {
    const advice = Sizing.advise({ load: { rate: 300, hold: "100 millis" }, server: { cores: 2 } })
    assert.strictEqual(advice.limit, 41)
    assert.include(said(advice, "elsewhere"), "keeps 30 connections busy, and 2 cores do 10 at once")
  })
})

const window = "60 seconds"
const calm = { max: 20, idle: 10, waiting: 0, timedOut: 0 }
const timing = (count: number, mean: number, p95 = mean) => ({ count, mean, p95 })

describe("What a running pool shows", () => {
  it("lets a pool grow that its load does not fit in", () => {
    const advice = Sizing.fromStats({ ...calm, max: 10, idle: 0, waiting: 7 }, { window, use: timing(12_000, 50) })
    assert.deepStrictEqual([advice.limit, advice.change], [17, "grow"])
    assert.include(said(advice, "grow"), "needs 17 a process, the pool has 10; 7 wait and 0 timed out")
  })

  it("lets one shrink that is more than twice what is needed, unless somebody waits", () => {
    const use = timing(1200, 50)
    const shrunk = Sizing.fromStats(calm, { window, use })
    assert.deepStrictEqual([shrunk.limit, shrunk.change], [3, "shrink"])
    assert.strictEqual(Sizing.fromStats({ ...calm, max: 6 }, { window, use }).change, "keep")
    assert.strictEqual(Sizing.fromStats({ ...calm, max: 7 }, { window, use }).change, "shrink")
    assert.strictEqual(Sizing.fromStats({ ...calm, timedOut: 1 }, { window, use }).change, "keep")
    const busy = Sizing.fromStats({ ...calm, waiting: 1 }, { window, use })
    assert.deepStrictEqual([busy.limit, busy.change], [20, "keep"])
  })

  it("lets one shrink for the server's sake, however busy it is", () => {
    const known = { deployment: { replicas: 4 }, server: { maxConnections: 103 } }
    const advice = Sizing.fromStats({ ...calm, max: 40, waiting: 9 }, { window, use: timing(60_000, 20) }, known)
    assert.deepStrictEqual([advice.limit, advice.change, advice.total], [25, "shrink", 100])
    assert.include(said(advice, "limit"), "40 x 4 processes = 160")
  })

  it("lets one be that has all that the server leaves to it, however much it needs", () => {
    const known = { deployment: { replicas: 4 }, server: { maxConnections: 99 } }
    const advice = Sizing.fromStats({ ...calm, max: 24 }, { window, use: timing(60_000, 30) }, known)
    assert.deepStrictEqual([advice.limit, advice.change], [24, "keep"])
    assert.include(said(advice, "limit"), "41 x 4 processes = 164")
    const exactly = Sizing.advise({ pool: { max: 97 } })
    assert.deepStrictEqual([exactly.change, said(exactly, "limit")], ["keep", ""])
  })

  it("says nothing of a quiet minute", () => {
    for (const use of [null, timing(99, 1)]) {
      const advice = Sizing.fromStats(calm, { window, use })
      assert.deepStrictEqual([advice.limit, advice.change, kinds(advice)], [20, "keep", ["basis"]])
    }
  })

  it("looks for the holder where callers wait and nobody comes back", () => {
    const advice = Sizing.fromStats({ ...calm, idle: 0, waiting: 30 }, { window, use: null })
    assert.strictEqual(advice.change, "keep")
    assert.include(said(advice, "elsewhere"), "look at the oldest holder")
  })

  it("tells slow statements from a small pool", () => {
    const slow = Sizing.fromStats({ ...calm, max: 4 }, { window, use: timing(120, 900, 1500) })
    assert.strictEqual(slow.change, "grow")
    const elsewhere = Sizing.fromStats({ ...calm, max: 8 }, { window, use: timing(120, 900, 1500) })
    assert.include(said(elsewhere, "elsewhere"), "held for 1500 ms at p95 while 10 are idle")
    assert.notInclude(
      kinds(Sizing.fromStats({ ...calm, max: 8 }, { window, use: timing(120, 900, 1000) })),
      "elsewhere"
    )
  })

  it("advises a longer wait where the size is enough, and a longer dial where the server is far", () => {
    const burst = { ...calm, timedOut: 3 }
    const advice = Sizing.fromStats(burst, { window, use: timing(12_000, 50), create: timing(4, 900, 1100) })
    assert.strictEqual(advice.change, "keep")
    assert.include(said(advice, "setting"), "raise pool_timeout")
    assert.include(said(advice, "setting"), "raise connect_timeout")
    const now = Sizing.fromStats(burst, { window, use: timing(12_000, 50), timedOut: 0 })
    assert.notInclude(said(now, "setting"), "pool_timeout")
  })

  it("is plain data with a source for everything it says", () => {
    const advice = Sizing.fromStats(calm, { window, use: timing(1200, 50) }, { server: { cores: 4 } })
    assert.deepStrictEqual(JSON.parse(JSON.stringify(advice)), advice)
    for (const { says, source } of advice.findings) assert.isAbove(Math.min(says.length, source.length), 5)
  })
})

describe("What is refused", () => {
  it.each<readonly [string, Sizing.Situation]>([
    ["server.cores", { server: { cores: 0 } }],
    ["server.spindles", { server: { cores: 1, spindles: -1 } }],
    ["server.maxConnections", { server: { maxConnections: 0 } }],
    ["server.reserved", { server: { maxConnections: 10, reserved: 10 } }],
    ["server.memory.available", { server: { memory: { available: 0.5 } } }],
    ["server.memory.workMem", { server: { memory: { available: 1, workMem: 0 } } }],
    ["server.memory.parallelWorkers", { server: { memory: { available: 1, parallelWorkers: 0 } } }],
    ["deployment.replicas", { deployment: { replicas: 0 } }],
    ["deployment.surge", { deployment: { surge: -1 } }],
    ["deployment.services", { deployment: { services: 1.5 } }],
    ["load.rate", { load: { rate: Number.NaN } }],
    ["load.users", { load: { users: -1 } }],
    ["load.hold", { load: { rate: 1, hold: Duration.infinity } }],
    ["pool.max", { pool: { max: 0 } }]
  ])("%s", (option, situation) => {
    assert.throws(() => Sizing.advise(situation), RangeError, `Option "${option}"`)
  })

  it("a window without an end", () => {
    assert.throws(() => Sizing.fromStats(calm, { window: 0, use: null }), RangeError, "Option \"window\"")
  })
})

describe("Too many connections for a server", () => {
  it("are told of with the sum, and only then", () => {
    assert.isUndefined(Sizing.overcommitted(20, 3, 60))
    assert.strictEqual(
      Sizing.overcommitted(20, 5, 97),
      "20 in each of 5 replicas, 100 together, and the server has room for 97 connections of all its clients"
    )
    assert.strictEqual(
      Sizing.overcommitted(98, 1, 97),
      "98, and the server has room for 97 connections of all its clients"
    )
  })
})
