/** Prometheus's own tool, where it is there. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Alerts from "../src/Alerts.ts"

export const promtool = (...args: ReadonlyArray<string>) => {
  const { error, status, stderr, stdout } = spawnSync("promtool", args, { encoding: "utf8", timeout: 60_000 })
  return error === undefined ? { status, output: `${stdout}${stderr}` } : undefined
}

export const isThere = promtool("--version") !== undefined
if (!isThere) console.log("[skipped] the alert rules in Prometheus: there is no promtool here")

/** With the rules in it, as `alerts.yml`. */
export const inFolder = <A>(use: (folder: string) => A): A => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "breakwater-alerts-"))
  try {
    fs.writeFileSync(path.join(folder, "alerts.yml"), Alerts.toYaml(Alerts.make()))
    return use(folder)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs rule tests, as a file of Prometheus's has them, on the rules. */
export const testRules = (ruleTests: object) =>
  inFolder((folder) => {
    const file = path.join(folder, "test.yml")
    fs.writeFileSync(file, JSON.stringify({ rule_files: ["alerts.yml"], evaluation_interval: "30s", ...ruleTests }))
    return promtool("test", "rules", file)
  })
