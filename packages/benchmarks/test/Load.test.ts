/** The load client on virtual time, in front of a server that is a function. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { UsageError } from "../../../scripts/commandLine.ts"
import * as Plan from "../src/load/plan.ts"
import { type Report, run, type Send } from "../src/load/run.ts"
import * as Screen from "../src/load/screen.ts"

const url = "http://127.0.0.1:3000/products"

const load = (
  args: ReadonlyArray<string>,
  send: Send,
  { stop = Effect.never, ...more }: Partial<Plan.Plan> & { readonly stop?: Effect.Effect<unknown> } = {}
) =>
  Effect.gen(function*() {
    const written: Array<string> = []
    const screen = Screen.make((text) => void written.push(text), false)
    const fiber = yield* Effect.forkChild(run({ ...Plan.parse([url, ...args], 1), ...more }, { send, stop, screen }))
    yield* TestClock.adjust("2 minutes")
    const report: Report = yield* Fiber.join(fiber)
    return { report, written }
  })

const slowly = (millis: number, status = 200): Send => () => Effect.as(Effect.sleep(millis), status)

describe("The load client", () => {
  it.effect("counts each phase, and passes where all succeeded", () =>
    Effect.gen(function*() {
      const { report, written } = yield* load(["--phases", "2s@10,3s@50"], slowly(20))
      assert.deepStrictEqual(report.phases.map(({ ok, requests }) => [requests, ok]), [[20, 20], [150, 150]])
      assert.deepStrictEqual([report.requests, report.success, report.passed, report.cut], [170, 1, true, false])
      assert.deepStrictEqual(report.phases[1]?.millis, { mean: 20, p50: 20, p95: 20, p99: 20, max: 20 })
      // A line a second, and the table at the end.
      assert.match(written[0] ?? "", /^second 1 {2}\d+ {2}100 % {2}20 {2}20/)
      assert.strictEqual(written.length, 6)
      assert.include(written.at(-1), "3 s at 50/s")
    }))

  it.effect("sees a stall in every request that it delayed, not only in the one that hit it", () =>
    Effect.gen(function*() {
      // Of 100 requests in ten seconds those of three wait for the server to come back.
      const clock = yield* TestClock.testClockWith(Effect.succeed)
      const from = clock.currentTimeMillisUnsafe()
      const stalling: Send = () => {
        const at = clock.currentTimeMillisUnsafe() - from
        return Effect.as(Effect.sleep(at >= 4000 && at < 7000 ? 7000 - at : 1), 200)
      }
      const { report } = yield* load(["--phases", "10s@10"], stalling)
      const { millis } = report.phases[0] ?? {}
      assert.strictEqual(millis?.max, 3000)
      assert.isAbove(millis?.p95 ?? 0, 2000)
      assert.strictEqual(millis?.p50, 1)
    }))

  it.effect("fails below the share that is asked for, and says what for", () =>
    Effect.gen(function*() {
      let n = 0
      const one = (every: number): Send => () =>
        ++n % every === 0 ? Effect.fail("ECONNREFUSED") : Effect.succeed(n % every === 1 ? 503 : 200)
      const { report } = yield* load(["--phases", "10s@10"], one(10))
      assert.deepStrictEqual([report.success, report.passed], [0.8, false])
      assert.deepStrictEqual(report.phases[0]?.failures, { "status 503": 10, ECONNREFUSED: 10 })
      n = 0
      assert.isTrue((yield* load(["--phases", "10s@10", "--success", "80"], one(10))).report.passed)
      n = 0
      assert.isFalse((yield* load(["--phases", "10s@10", "--success", "80.1"], one(10))).report.passed)
    }))

  it.effect("gives a request up in time, counted from when it was due", () =>
    Effect.gen(function*() {
      const { report } = yield* load(["--phases", "1s@5", "--timeout", "2"], () => Effect.never)
      assert.deepStrictEqual(report.phases[0]?.failures, { timeout: 5 })
      assert.isNull(report.phases[0]?.millis)
    }))

  it.effect("has no more under way than it can bear", () =>
    Effect.gen(function*() {
      assert.strictEqual(Plan.parse([url], 1).mostInFlight, 10_000)
      const { report } = yield* load(["--phases", "5s@10", "--timeout", "60"], () => Effect.never, { mostInFlight: 40 })
      assert.deepStrictEqual(report.phases[0]?.failures, { timeout: 40, "not sent: too many under way": 10 })
    }))

  it.effect("is not passed where it was ended early", () =>
    Effect.gen(function*() {
      const { report } = yield* load(["--phases", "60s@10"], slowly(1), { stop: Effect.sleep("950 millis") })
      assert.deepStrictEqual([report.requests, report.success, report.passed, report.cut], [10, 1, false, true])
    }))

  it("writes over its own screen on a terminal", () => {
    const written: Array<string> = []
    const screen = Screen.make((text) => void written.push(text), true)
    const row = { name: "1 s at 1/s", requests: 0, ok: 0, failures: {}, millis: null }
    screen.show([row], { ...row, name: "second 1" }, 0)
    screen.show([row], { ...row, name: "second 2" }, 0)
    const lines = written[0]?.split("\n").length ?? 0
    assert.notInclude(written[0], "\u001b")
    assert.isTrue(written[1]?.startsWith(`\u001b[${lines - 1}A`))
  })
})

describe("What the load client is asked", () => {
  it("has the guides' load as default", () => {
    const { arrivals, json, phases, success, timeoutMillis } = Plan.parse([url], 1)
    assert.deepStrictEqual(phases, [{ seconds: 60, rate: 10 }, { seconds: 120, rate: 50 }])
    assert.deepStrictEqual([arrivals, success, timeoutMillis, json], ["constant", 0.95, 5000, undefined])
    const poisson = Plan.parse([url, "--poisson"], 12)
    assert.deepStrictEqual([poisson.arrivals, poisson.seed], ["poisson", 12])
  })

  it.each([
    "http://localhost:1",
    "https://127.0.0.1",
    "http://127.9.9.9/",
    "http://[::1]:3000/a",
    // Written otherwise, the same.
    "http://0x7f.1/"
  ])("may be a server on this machine: %s", (given) => {
    assert.strictEqual(Plan.parse([given], 1).url.href, new URL(given).href)
  })

  it.each<readonly [string, ReadonlyArray<string>]>([
    ["another host", ["http://example.com/"]],
    ["a name that begins like one of this machine", ["http://127.0.0.1.example.com/"]],
    ["a name that ends so", ["http://localhost.example.com"]],
    ["an address of the network", ["http://10.0.0.1/"]],
    ["every address", ["http://0.0.0.0/"]],
    ["an address mapped into another family", ["http://[::ffff:10.0.0.1]/"]],
    ["user and host that look alike", ["http://127.0.0.1@example.com/"]],
    ["another protocol", ["file:///etc/passwd"]],
    ["no URL", ["products"]],
    ["nothing", []],
    ["two", [url, url]],
    ["a phase without a rate", [url, "--phases", "60s"]],
    ["a phase of no time", [url, "--phases", "0s@10"]],
    ["a rate beyond bounds", [url, "--phases", "1s@5001"]],
    ["more than an hour", [url, "--phases", "3000s@1,601s@1"]],
    ["more than a million requests", [url, "--phases", "1000s@1001"]],
    ["a share that is none", [url, "--success", "101"]],
    ["no share", [url, "--success", ""]],
    ["no bound", [url, "--timeout", "0"]],
    ["a seed that is none", [url, "--seed", "x"]]
  ])("is refused: %s", (_, args) => {
    assert.throws(() => Plan.parse(args, 1), UsageError)
  })

  it("may hold no password, and is not repeated where it does", () => {
    const given = "http://app:hunter2@127.0.0.1:1/"
    assert.throws(() => Plan.parse([given], 1), UsageError, /^URL has a user or a password; allowed is one without$/)
  })
})
