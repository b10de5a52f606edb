/** `npm run example -- NAME [--on node|bun|deno]`: runs one example; without a name, lists them. */
import * as CommandLine from "./commandLine.ts"
import { type Example, examples } from "./internal/examples.ts"
import { main, run } from "./internal/processes.ts"
import { at } from "./internal/repository.ts"
import * as Runtimes from "./internal/runtimes.ts"
import * as Servers from "./internal/servers.ts"
import { table } from "./internal/table.ts"

// Long enough for somebody who is trying things out, short enough to be noticed when forgotten.
const LIMIT_SECONDS = 24 * 60 * 60

const list = () => {
  const rows = examples().map((example) => [example.name, example.about])
  console.log(rows.length === 0 ? "There are no examples yet." : table(["example", "shows"], rows))
  console.log("\nRun one: npm run example -- NAME [--on node|bun|deno]")
  return 0
}

const find = (name: string): Example => {
  const found = examples().filter((example) => example.name.startsWith(name))
  const exact = found.find((example) => example.name === name)
  const only = exact ?? (found.length === 1 ? found[0] : undefined)
  if (only !== undefined) return only
  const known = (found.length === 0 ? examples() : found).map((example) => example.name).join(", ")
  throw new CommandLine.UsageError(
    found.length === 0 ? `No example ${name}. There are: ${known}` : `${name} could be ${known}`
  )
}

const runExample = async (example: Example, runtime: Runtimes.Runtime, args: ReadonlyArray<string>) => {
  const servers = Servers.make()
  try {
    if (example.wants.length > 0) {
      console.error(`[breakwater] starting a server of its own for this example: ${example.wants.join(", ")}`)
    }
    const given = await servers.give(example.wants)
    if ("missing" in given) {
      console.error(given.missing)
      return 1
    }
    const [program, ...before] = Runtimes.script(runtime, at(example.file), example.spawns)
    const result = await run(program, [...before, ...args], {
      cwd: at("examples"),
      env: Runtimes.environment(runtime, given.environment),
      limitSeconds: LIMIT_SECONDS,
      output: "inherit"
    })
    return result.code
  } finally {
    await servers.close()
  }
}

const { operands: [name, ...args], values: { on } } = CommandLine.read({
  command: "npm run example",
  about: "Runs an example on servers of its own; without a name, lists them.",
  options: { on: Runtimes.option("node") },
  operands: { value: "NAME", about: "the example, or how its name begins; what follows is for the example" },
  example: "20-postgres --on deno"
})

await main(async () => name === undefined ? list() : runExample(find(name), on, args))
