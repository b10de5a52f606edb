/** What the tasks of this repository say of their command lines. */
import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import * as CommandLine from "../../../scripts/commandLine.ts"

const line = {
  command: "npm run brew",
  about: "Makes tea.",
  options: {
    cups: CommandLine.integer("how many", { least: 1, most: 9, absent: 2 }),
    degrees: CommandLine.number("how hot", { least: 20, most: 99.5, absent: 80 }),
    on: CommandLine.oneOf("PLACE", "where", ["stove", "fire"], undefined),
    json: CommandLine.output("writes it down"),
    milk: CommandLine.flag("with milk")
  },
  operands: { value: "TEA", about: "which", known: ["green", "black"] },
  example: "green --cups 3"
}

const parse = (...args: ReadonlyArray<string>) => CommandLine.parse(line, args)

describe("A command line", () => {
  it("is what its description says, whatever is given and in whatever order", () => {
    assert.deepStrictEqual(parse(), {
      values: { cups: 2, degrees: 80, on: undefined, json: undefined, milk: false },
      operands: []
    })
    assert.deepStrictEqual(parse("--cups=3", "black", "--milk", "--on", "fire", "--degrees", "99.5", "green"), {
      values: { cups: 3, degrees: 99.5, on: "fire", json: undefined, milk: true },
      operands: ["black", "green"]
    })
  })

  it.each([
    [["--cup", "3"], "--cup is no option; allowed are --cups N, --degrees N, --on PLACE, --json FILE, --milk, --help"],
    [["-c"], "-c is no option; allowed are --cups N, --degrees N, --on PLACE, --json FILE, --milk, --help"],
    [["--cups", "10"], "--cups is 10; allowed are the integers from 1 to 9"],
    [["--cups", "2.5"], "--cups is 2.5; allowed are the integers from 1 to 9"],
    [["--cups", ""], "--cups is ; allowed are the integers from 1 to 9"],
    [["--cups"], "--cups has no value; allowed are the integers from 1 to 9"],
    [["--degrees", "hot"], "--degrees is hot; allowed are the numbers from 20 to 99.5"],
    [["--on", "ice"], "--on is ice; allowed are stove, fire"],
    [["--json"], "--json has no value; it wants FILE"],
    [["--json", "/nowhere/tea.json"], "/nowhere/tea.json cannot be written; allowed is a file in a folder that can"],
    [["--json", "."], ". cannot be written; allowed is a file in a folder that can"],
    [["--milk=yes"], "--milk is yes; it has no value"],
    [["green", "red"], "TEA is red; allowed are green, black"],
    [
      ["--constructor"],
      "--constructor is no option; allowed are --cups N, --degrees N, --on PLACE, --json FILE, --milk, --help"
    ]
  ])("is refused with what is allowed: %s", (args, message) => {
    assert.throws(() => parse(...args), CommandLine.UsageError, message)
  })

  it("is refused where too much or too little is given", () => {
    const { options } = line
    const none = { ...line, operands: undefined }
    assert.throws(() => CommandLine.parse({ command: "x", about: "", options }, ["green"]), "green is not allowed")
    const one = { ...none, operands: { value: "TEA", about: "which tea", most: 1, needed: true } }
    assert.throws(() => CommandLine.parse(one, []), "TEA is missing; wanted is which tea")
    assert.throws(() => CommandLine.parse(one, ["green", "black"]), "TEA is green black; allowed is one")
  })

  it("is explained, also beside a mistake", () => {
    for (const asked of [["--help"], ["-h"], ["red", "--cup", "--help"]]) {
      assert.throws(() => parse(...asked), CommandLine.Help, "npm run brew -- [TEA...] [options]")
    }
    assert.throws(() => parse("-h"), "  --cups N     how many: the integers from 1 to 9; default 2\n")
    assert.throws(() => parse("-h"), "Example: npm run brew -- green --cups 3")
  })
})

const root = fileURLToPath(new URL("../../..", import.meta.url))
// The repository's own.
const { scripts }: { readonly scripts: Record<string, string> } = JSON.parse(
  fs.readFileSync(`${root}/package.json`, "utf8")
)
const PROCESS_LIMIT_MILLIS = 60_000

const run = (task: string, option: string) =>
  new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>((resolve, reject) => {
    const child = spawn("node", ["scripts/launch.mjs", task, option], { cwd: root })
    let [out, err] = ["", ""]
    child.stdout.on("data", (chunk) => (out += String(chunk)))
    child.stderr.on("data", (chunk) => (err += String(chunk)))
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, out, err }))
  })

describe("Each task", () => {
  it.concurrent.each(Object.keys(scripts))("explains its command line, and refuses another: %s", async (task) => {
    const help = await run(task, "--help")
    assert.deepStrictEqual([help.code, help.err], [0, ""])
    assert.match(help.out, new RegExp(`^npm (?:run )?${task} -- .*\\[options\\]\n[^]*--help, -h[^]*\nExample: npm `))
    const typo = await run(task, "--typo")
    assert.deepStrictEqual([typo.code, typo.out], [2, ""])
    assert.match(typo.err, /^--typo is no option; allowed are .*--help\n$/)
  }, PROCESS_LIMIT_MILLIS)
})
