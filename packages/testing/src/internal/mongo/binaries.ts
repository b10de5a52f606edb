/**
 * Finds a MongoDB or FerretDB on PATH, and says how to start it.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Ports from "../ports.ts"

const isExecutable = (file: string): boolean => {
  try {
    Fs.accessSync(file, Fs.constants.X_OK)
    return true
  } catch {
    return false
  }
}

export const find = (name: string): string | undefined =>
  (process.env["PATH"] ?? "").split(Path.delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => Path.join(folder, name))
    .find(isExecutable)

/** The folder of the data, whose name the command line holds: by it the watchdog finds the server. */
export const prepare = (data: string): void => {
  Fs.mkdirSync(data, { mode: 0o700 })
}

export const argumentsOf: Record<"mongod" | "ferretdb", (data: string, port: number) => ReadonlyArray<string>> = {
  mongod: (data, port) => ["--dbpath", data, "--bind_ip", Ports.host, "--port", String(port), "--noauth"],
  ferretdb: (data, port) => [
    "--handler=sqlite",
    `--sqlite-url=file:${data}/`,
    `--state-dir=${data}`,
    `--listen-addr=${Ports.host}:${port}`,
    "--debug-addr=-",
    "--telemetry=disable"
  ]
}
