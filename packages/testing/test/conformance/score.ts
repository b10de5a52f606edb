/**
 * Scores one pool, `score.ts NAME [FROM]`, from a behaviour on, and writes each verdict as a line of JSON. In a process
 * of its own: some pools never give the event loop back.
 */
import { Effect } from "effect"
import { Conformance } from "../../src/index.ts"
import { adapters } from "./adapters.ts"

const LIMIT = 20_000

const runtime = () => {
  const { bun, deno, node } = process.versions
  return bun !== undefined ? `bun ${bun}` : deno !== undefined ? `deno ${deno}` : `node ${node}`
}

const say = (line: unknown) => console.log(JSON.stringify(line))

// A rejection that the pool forgot must not end the process: it is the pool's, and so is the verdict.
process.on("unhandledRejection", () => {})
process.on("uncaughtException", () => {})

const [name, from = "1"] = process.argv.slice(2)
const adapter = adapters.find((each) => each.name === name)
if (adapter === undefined) throw new Error(`No pool ${name}`)
say({ runtime: runtime(), version: adapter.version })
const only = Conformance.behaviours.map(({ number }) => number).filter((number) => number >= Number(from))
await Effect.runPromise(Conformance.run(adapter, { only, limit: LIMIT, onVerdict: (verdict) => say({ verdict }) }))
// What a pool left behind would keep the process.
process.exit(0)
