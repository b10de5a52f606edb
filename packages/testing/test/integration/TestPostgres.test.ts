import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { ownServers } from "../utils/postgres.ts"

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** What a runtime needs to run vitest on itself. */
const runtimeArgs = "Deno" in globalThis ? ["run", "-A"] : []
const vitestArgs = "Bun" in globalThis ? ["--pool=threads"] : []

const runVitest = (config: string, env: Record<string, string> = {}) =>
  Effect.callback<{ readonly code: number | null; readonly output: string }>((resume) => {
    const child = spawn(process.execPath, [
      ...runtimeArgs,
      file("../../node_modules/vitest/vitest.mjs"),
      "run",
      "--config",
      file(`../fixtures/run/${config}`),
      ...vitestArgs
    ], { env: { ...process.env, NO_COLOR: "1", ...env }, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    const onData = (chunk: Buffer) => {
      output += chunk.toString()
    }
    child.stdout.on("data", onData)
    child.stderr.on("data", onData)
    child.once("close", (code) => resume(Effect.succeed({ code, output })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

describe.skipIf(!ownServers)("a vitest run with the global set-up", () => {
  it.effect("gives its files databases of their own on one server", () =>
    Effect.gen(function*() {
      const { code, output } = yield* runVitest("vitest.config.mjs")
      assert.match(output, /3 passed/)
      assert.strictEqual(code, 0)
    }), 60_000)

  it.effect("fails when a given server can't be used, without a word of its password", () =>
    Effect.gen(function*() {
      const { code, output } = yield* runVitest("vitest.config.mjs", {
        BREAKWATER_TEST_POSTGRES_URL: "postgres://u:hunter2@127.0.0.1:1/d"
      })
      assert.notStrictEqual(code, 0)
      assert.match(output, /PostgresServer: .* failed/)
      assert.notMatch(output, /hunter2/)
    }), 60_000)
})

describe("a vitest run without the global set-up", () => {
  it.effect("fails and says what is missing", () =>
    Effect.gen(function*() {
      const { code, output } = yield* runVitest("without.config.mjs")
      assert.notStrictEqual(code, 0)
      assert.match(output, /add "@breakwater\/testing\/vitest-postgres" to globalSetup/)
    }), 60_000)
})
