/**
 * A server of our own: its folder, its first start and the two roles it has.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import { NotRunning, PostgresServerError, StartFailed } from "../../PostgresServerError.ts"
import { type Identity, run } from "../command.ts"
import { serverIdentity } from "../identity.ts"
import * as Ports from "../ports.ts"
import { inRealTime } from "../realTime.ts"
import * as Admin from "./admin.ts"
import * as Folder from "./folder.ts"
import * as Postmaster from "./postmaster.ts"

export interface Cluster {
  /** As the role of the tests, to the database of the same name. */
  readonly url: Redacted.Redacted
  /** As superuser, to the maintenance database. */
  readonly adminUrl: Redacted.Redacted
  readonly pid: Effect.Effect<number, PostgresServerError>
  readonly kill: Effect.Effect<void>
  readonly stop: Effect.Effect<void>
  readonly start: Effect.Effect<void, PostgresServerError>
  readonly restart: Effect.Effect<void, PostgresServerError>
}

const role = "app"
const superuser = "postgres"

export const make = Effect.fnUntraced(function*(options: {
  readonly bin: string
  readonly settings: Readonly<Record<string, string | number | boolean>>
}): Effect.fn.Return<Cluster, PostgresServerError, Scope.Scope> {
  const identity = serverIdentity()
  const folder = yield* Folder.make(identity)
  const password = randomBytes(18).toString("hex")
  yield* initialise({ ...options, folder, identity, password })

  const urlOf = (port: number, user: string) =>
    Redacted.make(`postgres://${user}:${password}@${Ports.host}:${port}/${user}`)
  const server = yield* makeServer((port) =>
    Postmaster.start({
      bin: options.bin,
      folder,
      identity,
      port,
      secret: password,
      probe: Admin.query(urlOf(port, superuser), "probe", "select 1")
    })
  )
  const port = yield* freePort.pipe(
    Effect.tap(server.launch),
    // The port may have been taken since it was found free.
    Effect.retry({ times: 2, while: (error) => /could not bind|in use/i.test(error.message) })
  )
  const adminUrl = urlOf(port, superuser)
  const createRole = `create role ${role} login createdb password ${Admin.literal(password)}`
  yield* Admin.query(adminUrl, "create role", createRole)
  yield* Admin.query(adminUrl, "create database", `create database ${role} owner ${role}`)
  return { url: urlOf(port, role), adminUrl, ...controls(server, port) }
})

type Server = Effect.Success<ReturnType<typeof makeServer>>

/** The postmaster of this moment; the last one ends with the scope. */
const makeServer = (start: (port: number) => Effect.Effect<Postmaster.Postmaster, PostgresServerError>) =>
  Effect.gen(function*() {
    let postmaster: Postmaster.Postmaster | undefined
    yield* Effect.addFinalizer(() => postmaster?.abandon ?? Effect.void)
    return {
      running: () => postmaster?.isRunning() === true ? postmaster : undefined,
      launch: (port: number) =>
        Effect.uninterruptible(Effect.map(start(port), (started) => {
          postmaster = started
        }))
    }
  })

const controls = ({ launch, running }: Server, port: number): Omit<Cluster, "url" | "adminUrl"> => {
  const oneAtATime = Semaphore.makeUnsafe(1).withPermits(1)
  const stop = Effect.suspend(() => running()?.stop ?? Effect.void)
  const start = Effect.suspend(() => running() === undefined ? launch(port) : Effect.void).pipe(
    // Children of a server that was killed from outside may hold its memory for a moment longer.
    Effect.retry({ times: 3, schedule: Schedule.spaced("300 millis") }),
    inRealTime
  )
  return {
    pid: Effect.suspend(() => {
      const pid = running()?.pid
      return pid === undefined
        ? Effect.fail(new PostgresServerError({ reason: new NotRunning() }))
        : Effect.succeed(pid)
    }),
    kill: oneAtATime(Effect.suspend(() => running()?.kill ?? Effect.void)),
    stop: oneAtATime(stop),
    start: oneAtATime(start),
    restart: oneAtATime(Effect.andThen(stop, start))
  }
}

const freePort: Effect.Effect<number, PostgresServerError> = Ports.candidate.pipe(
  Effect.tap((port) =>
    Effect.callback<void, PostgresServerError>((resume) => {
      const server = Net.createServer()
      server.once("error", (error) => resume(Effect.fail(failed("start", String(error)))))
      server.listen(port, Ports.host, () => server.close(() => resume(Effect.void)))
    })
  ),
  Effect.retry({ times: Ports.attempts - 1 })
)

const initialise = (options: {
  readonly bin: string
  readonly folder: string
  readonly identity: Identity | undefined
  readonly password: string
  readonly settings: Readonly<Record<string, string | number | boolean>>
}) =>
  Effect.gen(function*() {
    const { folder, identity, password } = options
    const data = Postmaster.dataFolder(folder)
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
    if (output.code !== 0) return yield* Effect.fail(failed("initdb", output.tail))
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

const attempt = (f: () => void) => Effect.try({ try: f, catch: (cause) => failed("folder", String(cause)) })

const failed = (step: StartFailed["step"], detail: string) =>
  new PostgresServerError({ reason: new StartFailed({ step, detail }) })
