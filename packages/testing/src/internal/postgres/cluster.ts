/**
 * A server of our own: its folder, its first start and the two roles it has.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { PostgresServerError } from "../../PostgresServerError.ts"
import { type Identity, run } from "../command.ts"
import type * as Controls from "../controls.ts"
import * as Folder from "../folder.ts"
import { serverIdentity } from "../identity.ts"
import * as OwnServer from "../ownServer.ts"
import * as Ports from "../ports.ts"
import * as Admin from "./admin.ts"
import { errors } from "./errors.ts"

export interface Cluster extends Controls.Controls<PostgresServerError> {
  /** As the role of the tests, to the database of the same name. */
  readonly url: Redacted.Redacted
  /** As superuser, to the maintenance database. */
  readonly adminUrl: Redacted.Redacted
}

const role = "app"
const superuser = "postgres"

export const make = Effect.fnUntraced(function*(options: {
  readonly bin: string
  readonly settings: Readonly<Record<string, string | number | boolean>>
}): Effect.fn.Return<Cluster, PostgresServerError, Scope.Scope> {
  const identity = serverIdentity()
  const password = randomBytes(18).toString("hex")
  const urlOf = (port: number, user: string) =>
    Redacted.make(`postgres://${user}:${password}@${Ports.host}:${port}/${user}`)
  const { controls, port: chosen } = yield* OwnServer.make({
    kind: "postgres",
    identity,
    errors,
    secret: password,
    // Fast: open transactions are rolled back, sessions told. And without writing anything any more.
    signals: { stop: "SIGINT", abandon: "SIGQUIT" },
    prepare: (folder) => initialise({ ...options, folder, identity, password }),
    command: (folder, port) => [
      Path.join(options.bin, "postgres"),
      "-D",
      Folder.dataFolder(folder),
      "-p",
      String(port)
    ],
    probe: (port) => Admin.query(urlOf(port, superuser), "probe", "select 1")
  })
  const adminUrl = urlOf(chosen, superuser)
  const createRole = `create role ${role} login createdb password ${Admin.literal(password)}`
  yield* Admin.query(adminUrl, "create role", createRole)
  yield* Admin.query(adminUrl, "create database", `create database ${role} owner ${role}`)
  return { url: urlOf(chosen, role), adminUrl, ...controls }
})

const initialise = (options: {
  readonly bin: string
  readonly folder: string
  readonly identity: Identity | undefined
  readonly password: string
  readonly settings: Readonly<Record<string, string | number | boolean>>
}) =>
  Effect.gen(function*() {
    const { folder, identity, password } = options
    const data = Folder.dataFolder(folder)
    const passwordFile = Path.join(folder, "password")
    yield* attempt(() => {
      Fs.writeFileSync(passwordFile, password, { mode: 0o600 })
      if (identity !== undefined) Fs.chownSync(passwordFile, identity.uid, identity.gid)
    })
    const args = ["-D", data, "-U", superuser, "--auth=scram-sha-256", `--pwfile=${passwordFile}`]
    const output = yield* run(
      Path.join(options.bin, "initdb"),
      [...args, "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"],
      { within: "60 seconds", identity, cwd: folder }
    )
    if (output.code !== 0) return yield* Effect.fail(errors.startFailed("initdb", output.tail))
    yield* attempt(() => {
      Fs.rmSync(passwordFile)
      Fs.appendFileSync(Path.join(data, "postgresql.conf"), configuration(folder, options.settings))
    })
  })

/** Nothing survives the power going out, and nothing must: a crash of the server alone loses no committed row. */
const configuration = (folder: string, settings: Readonly<Record<string, string | number | boolean>>) =>
  Object.entries({
    listen_addresses: Ports.host,
    unix_socket_directories: folder,
    fsync: false,
    full_page_writes: false,
    shared_buffers: "16MB",
    logging_collector: false,
    log_destination: "stderr",
    ...settings
  }).map(([name, value]) => `${name} = ${Admin.literal(String(value))}\n`).join("")

const attempt = (f: () => void) => Effect.try({ try: f, catch: (cause) => errors.startFailed("folder", String(cause)) })
