/** Where the figures come from. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

export interface Machine {
  readonly date: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly runtime: string
  /** Processes that wanted a core, on the average of the last minute. */
  readonly load: number
  readonly packages: Readonly<Record<string, string>>
}

const versionOf = (name: string): string => {
  const file = path.join(import.meta.dirname, "..", "node_modules", name, "package.json")
  // What every package.json has.
  const manifest = JSON.parse(fs.readFileSync(file, "utf8")) as { readonly version: string }
  return manifest.version
}

const measuredPackages = [
  "effect",
  "@effect/sql-pg",
  "@effect/platform-node",
  "generic-pool",
  "tarn",
  "lightning-pool",
  "cockatiel",
  "opossum",
  "ioredis",
  "undici"
]

export const runtimeName = (): "node" | "bun" | "deno" =>
  process.versions["bun"] !== undefined ? "bun" : process.versions["deno"] !== undefined ? "deno" : "node"

export const describe = (): Machine => {
  const runtime = runtimeName()
  return {
    date: new Date().toISOString(),
    cpu: os.cpus()[0]?.model ?? "unknown",
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    runtime: `${runtime} ${process.versions[runtime] ?? ""}`,
    load: Math.round((os.loadavg()[0] ?? 0) * 10) / 10,
    packages: Object.fromEntries(measuredPackages.map((name) => [name, versionOf(name)]))
  }
}
