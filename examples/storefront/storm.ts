/**
 * The storefront through a storm: Postgres killed, connections cut, a black hole, an exhausted pool, and a SIGTERM, all
 * under load. `npm start -- --help` says how to steer it.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Data, Effect, References } from "effect"
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import * as Conclusion from "./storm/Conclusion.ts"
import { faultsOf } from "./storm/Report.ts"
import { run } from "./storm/run.ts"
import * as Scene from "./storm/Scene.ts"
import * as Screen from "./storm/Screen.ts"
import { serve } from "./storm/serve.ts"

const MINIMUM_SECONDS = 15
const MAXIMUM_SECONDS = 600
const RATE = 150

const usage = `npm start -- [options]

  --seconds N    how long the storm lasts, its stages scaled alike: ${MINIMUM_SECONDS} to ${MAXIMUM_SECONDS}, default 30
  --report FILE  writes what it measured, as JSON
  --serve        instead of a storm, stays up under a light load until Ctrl-C, for faults by your own hand
`

class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

const options = Effect.try({
  try: () =>
    parseArgs({
      options: {
        seconds: { type: "string", default: "30" },
        report: { type: "string" },
        serve: { type: "boolean", default: false },
        help: { type: "boolean", default: false }
      }
    }).values,
  catch: (error) => new UsageError({ message: `${error instanceof Error ? error.message : String(error)}\n\n${usage}` })
}).pipe(
  Effect.map((values) => ({ ...values, seconds: Number(values.seconds) })),
  Effect.filterOrFail(
    ({ seconds }) => seconds >= MINIMUM_SECONDS && seconds <= MAXIMUM_SECONDS,
    () => new UsageError({ message: `--seconds: allowed are ${MINIMUM_SECONDS} to ${MAXIMUM_SECONDS}` })
  )
)

const write = (file: string, text: string) =>
  Effect.try({
    try: () => writeFileSync(file, text),
    catch: (error) => new UsageError({ message: `--report ${file}: ${String(error)}` })
  })

const storm = Effect.fnUntraced(function*(seconds: number, file: string | undefined) {
  console.log("Starting the backends, proxies that break the network on command, and the storefront")
  const scene = yield* Scene.make
  console.log(`\nA storm of ${seconds} s, ${RATE} requests a second\n\n${Screen.header}`)
  const outcome = yield* run(scene, { seconds, rate: RATE })
  console.log(Conclusion.show(outcome))
  if (file !== undefined) yield* write(file, `${JSON.stringify(outcome.report, null, 2)}\n`)
  return faultsOf(outcome.report, outcome.exitCode).length === 0 ? 0 : 1
})

const main = Effect.gen(function*() {
  const { help, report, seconds, serve: stay } = yield* options
  if (help) {
    console.log(usage)
    return 0
  }
  return stay ? yield* Effect.flatMap(Scene.make, serve) : yield* storm(seconds, report)
})

main.pipe(
  Effect.scoped,
  Effect.catchTag(
    "PostgresServerError",
    ({ message }) => Effect.fail(new UsageError({ message: `There is no Postgres to begin with. ${message}` }))
  ),
  Effect.catch((error) =>
    Effect.sync(() => {
      console.error(error.message)
      return 1
    })
  ),
  Effect.map((code) => {
    process.exitCode = code
  }),
  Effect.provide(NodeServices.layer),
  // The storm tells what happens; the ready lines of its own connections would tear its table.
  Effect.provideService(References.MinimumLogLevel, "Error"),
  NodeRuntime.runMain
)
