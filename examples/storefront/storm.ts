/**
 * The storefront through a storm: Postgres, Redis, MongoDB, an upstream and its own clients fail one after the other and
 * two at once, then comes a SIGTERM while statements hang, all under load. `npm start -- --help` says how to steer it.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Data, Effect, References } from "effect"
import { writeFileSync } from "node:fs"
import * as CommandLine from "../../scripts/commandLine.ts"
import * as Child from "./storm/Child.ts"
import * as Conclusion from "./storm/Conclusion.ts"
import { Recording } from "./storm/Recording.ts"
import { faultsOf } from "./storm/Report.ts"
import { run } from "./storm/run.ts"
import * as Scene from "./storm/Scene.ts"
import * as Screen from "./storm/Screen.ts"
import { serve } from "./storm/serve.ts"

const MINIMUM_SECONDS = 15
const MAXIMUM_SECONDS = 600
const RATE = 150
/** A browser that draws takes its share of the machine. */
const RATE_WITH_PICTURES = 60

const { values } = CommandLine.read({
  command: "npm start",
  about: "The storefront through a storm: everything around it fails, one after the other and two at once, under load.",
  options: {
    seconds: CommandLine.number("how long the storm lasts, its stages scaled alike", {
      least: MINIMUM_SECONDS,
      most: MAXIMUM_SECONDS,
      absent: 40
    }),
    report: CommandLine.output("writes what it measured, as JSON"),
    metrics: CommandLine.output("writes what /metrics showed in each fault, of what the alert rules read"),
    "no-policies": CommandLine.flag("runs the same storm once more without policies, and shows both side by side"),
    pictures: CommandLine.text(
      "DIR",
      `takes pictures of the dashboard, one during each fault, at ${RATE_WITH_PICTURES} requests a second; wants a Chromium`
    ),
    on: CommandLine.oneOf("RUNTIME", "the storefront's runtime", Child.runtimes, Child.runtimes[0]),
    serve: CommandLine.flag("instead of a storm, stays up under a light load until Ctrl-C, for faults by your own hand")
  },
  example: "--seconds 60 --no-policies"
})

class CannotGoOn extends Data.TaggedError("CannotGoOn")<{ readonly message: string }> {}

const write = (file: string, text: string) =>
  Effect.try({
    try: () => writeFileSync(file, text),
    catch: (error) => new CannotGoOn({ message: `${file}: ${String(error)}` })
  })

interface Options {
  readonly seconds: number
  readonly pictures: string | undefined
  readonly metrics: string | undefined
  readonly on: Child.Runtime
}

const once = Effect.fnUntraced(function*({ metrics, on, pictures, seconds }: Options, policies: boolean) {
  console.log("Starting the backends, proxies that break the network on command, and the storefront")
  const scene = yield* Scene.make({ policies, on })
  const how = policies ? "" : ", without policies"
  const rate = pictures === undefined ? RATE : RATE_WITH_PICTURES
  console.log(`\nA storm of ${seconds} s, ${rate} requests a second${how}\n\n${Screen.header}`)
  const recording = metrics === undefined ? undefined : new Recording(scene.metrics)
  const outcome = yield* run(scene, { seconds, rate, pictures, recording })
  if (metrics !== undefined && recording !== undefined) {
    const day = new Date().toISOString().slice(0, 10)
    const recorded = recording.recorded(`${day}, npm start -- --seconds ${seconds} --on ${on} --metrics FILE`)
    yield* write(metrics, `${JSON.stringify(recorded, undefined, 2)}\n`)
  }
  return outcome
}, Effect.scoped)

const storm = Effect.fnUntraced(function*(given: Options, file: string | undefined, comparing: boolean) {
  const outcome = yield* once(given, true)
  console.log(Conclusion.show(outcome))
  const bare = comparing ? yield* once({ ...given, pictures: undefined, metrics: undefined }, false) : undefined
  if (bare !== undefined) console.log(Conclusion.compare(outcome, bare))
  const report = bare === undefined ? outcome.report : { ...outcome.report, withoutPolicies: bare.report }
  if (file !== undefined) yield* write(file, `${JSON.stringify(report, null, 2)}\n`)
  return faultsOf(outcome.report, outcome.exitCode).length === 0 ? 0 : 1
})

const main = Effect.gen(function*() {
  const { metrics, "no-policies": comparing, on, pictures, report, seconds, serve: stay } = values
  return stay
    ? yield* Effect.flatMap(Scene.make({ policies: true, on }), serve)
    : yield* storm({ seconds, on, pictures, metrics }, report, comparing)
})

main.pipe(
  Effect.scoped,
  Effect.catchTag(
    "PostgresServerError",
    ({ message }) => Effect.fail(new CannotGoOn({ message: `There is no Postgres to begin with. ${message}` }))
  ),
  Effect.catch((error) =>
    Effect.sync(() => {
      console.error(error.message)
      return 1
    })
  ),
  // Everything has ended by now, and Node left alone was seen to spin for ever over the handles of ended children.
  Effect.map((code) => process.exit(code)),
  Effect.provide(NodeServices.layer),
  // The storm tells what happens; the ready lines of its own connections would tear its table.
  Effect.provideService(References.MinimumLogLevel, "Error"),
  NodeRuntime.runMain
)
