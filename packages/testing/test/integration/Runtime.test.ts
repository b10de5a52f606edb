import { assert, it } from "@effect/vitest"

const runtime = () => "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : "node"

it.skipIf(process.env["BREAKWATER_TEST_RUNTIME"] === undefined)(
  "the tests run on the runtime that was asked for, not on another that stood in for it",
  () => {
    assert.strictEqual(runtime(), process.env["BREAKWATER_TEST_RUNTIME"])
  }
)
