/**
 * Says how to start a MongoDB or FerretDB.
 */
import * as Fs from "node:fs"
import * as Ports from "../ports.ts"

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
