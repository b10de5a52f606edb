/** The load client in front of a server. */
import { FakeHttp } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Plan from "../../src/load/plan.ts"
import { run, send } from "../../src/load/run.ts"
import * as Screen from "../../src/load/screen.ts"

const load = (url: string, ...args: ReadonlyArray<string>) =>
  run(Plan.parse([url, ...args], 1), { send, stop: Effect.never, screen: Screen.make(() => {}, false) })

describe("The load client", () => {
  it.live("sends what is due, to the path that it was given", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make()
      const report = yield* load(
        `${server.url}/products`,
        "--phases",
        "0.5s@40,0.5s@100",
        "--poisson",
        "--timeout",
        "20"
      )
      const requests = yield* server.requests
      assert.strictEqual(report.requests, requests.length)
      assert.isTrue(requests.every(({ path }) => path === "/products"))
      assert.isTrue(report.passed, JSON.stringify(report))
    }))

  it.live("fails where the server does, each in its own word, and follows nobody elsewhere", () =>
    Effect.gen(function*() {
      const server = yield* FakeHttp.make(() => ({ status: 503 }))
      const busy = yield* load(server.url, "--phases", "0.2s@50", "--timeout", "20")
      assert.deepStrictEqual([busy.passed, Object.keys(busy.phases[0]?.failures ?? {})], [false, ["status 503"]])
      yield* server.script(() => ({ status: 302, headers: { location: "http://127.0.0.1:1/" } }))
      const moved = yield* load(server.url, "--phases", "0.2s@50", "--timeout", "20")
      assert.isTrue(moved.passed)
      yield* server.kill
      const gone = yield* load(server.url, "--phases", "0.2s@50", "--timeout", "20")
      assert.strictEqual(gone.success, 0)
      assert.isAbove(gone.requests, 5)
    }))
})
