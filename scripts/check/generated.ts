/** Files that follow from sources: the alert rules for Prometheus, and the board for Grafana. */
import * as fs from "node:fs"
import * as path from "node:path"
import { at } from "../internal/repository.ts"

/** By their paths, what they have to be. Imported here, so that a package that does not compile breaks this part only. */
const generate = async (): Promise<Readonly<Record<string, string>>> => {
  const { Alerts, Board } = await import("../../packages/ops/src/index.ts")
  return {
    "docs/deploy/prometheus/alerts.yml": Alerts.toYaml(Alerts.make()),
    "docs/deploy/grafana/breakwater.json": Board.toJson(Board.make())
  }
}

export const check = async (fix: boolean): Promise<Array<string>> => {
  const problems: Array<string> = []
  for (const [file, text] of Object.entries(await generate())) {
    const target = at(file)
    if (fs.existsSync(target) && fs.readFileSync(target, "utf8") === text) continue
    if (!fix) problems.push(`${file}: is not what packages/ops makes of it; npm run check -- generated --fix writes it`)
    else {
      fs.mkdirSync(path.dirname(target), { recursive: true })
      fs.writeFileSync(target, text)
    }
  }
  return problems
}
