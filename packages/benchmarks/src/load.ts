/**
 * `npm run load -- URL [--phases 60s@10,120s@50]`: GET requests to a server on this machine, at a rate that does not wait
 * for answers, with what came of them live and, by `--json`, as a file. Exits with 1 when too few succeeded.
 */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as CommandLine from "../../../scripts/commandLine.ts"
import * as Plan from "./load/plan.ts"
import { run, send } from "./load/run.ts"
import * as Screen from "./load/screen.ts"

const planned = (): Plan.Plan => {
  try {
    return Plan.parse(process.argv.slice(2), Date.now() % 2 ** 32)
  } catch (error) {
    process.exit(CommandLine.explain(error))
  }
}

const plan = planned()
const write = (text: string) => void process.stdout.write(text)

const stop = Effect.callback<void>((resume) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resume(Effect.void))
})

write(`GET ${plan.url.href}, ${plan.arrivals} arrivals${plan.arrivals === "poisson" ? `, seed ${plan.seed}` : ""}\n`)
const report = await Effect.runPromise(
  run(plan, { send, stop, screen: Screen.make(write, process.stdout.isTTY) })
)
if (plan.json !== undefined) fs.writeFileSync(plan.json, `${JSON.stringify(report, undefined, 2)}\n`)
const percent = (share: number) => `${Math.floor(share * 10_000) / 100} %`
write(
  `${report.requests} requests, ${percent(report.success)} succeeded, at least ${percent(plan.success)} are asked for` +
    `${report.cut ? "; ended early" : ""}: ${report.passed ? "passed" : "failed"}\n`
)
process.exit(report.passed ? 0 : 1)
