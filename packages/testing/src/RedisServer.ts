/**
 * A real Redis for tests, examples and benchmarks: started here, or given by
 * `BREAKWATER_TEST_REDIS_URL`.
 *
 * A server of our own listens on 127.0.0.1 only, keeps its port over `kill` and
 * `start`, and goes with the scope, its folder too. When this process dies,
 * however it does, a watchdog ends the server and removes the folder. Its data
 * lives in memory: a server that is killed comes back empty, one that is
 * stopped too, unless `settings` say otherwise.
 *
 * Waiting for a server is waiting in real time, under a `TestClock` too.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Controls from "./internal/controls.ts"
import * as Folder from "./internal/folder.ts"
import * as OwnServer from "./internal/ownServer.ts"
import * as Ports from "./internal/ports.ts"
import * as Binaries from "./internal/redis/binaries.ts"
import * as Client from "./internal/redis/client.ts"
import { errors } from "./internal/redis/errors.ts"
import * as Sources from "./internal/sources.ts"
import type { RedisServerError } from "./RedisServerError.ts"

/**
 * Where a server comes from: `BREAKWATER_TEST_REDIS_URL`, a `redis-server` on
 * this machine, or Debian's package, installed on the spot (as root only).
 *
 * @since 0.1.0
 * @category models
 */
export type Source = "given" | "machine" | "apt"

/**
 * The sources of servers that may be killed, in the order they are tried.
 *
 * @since 0.1.0
 * @category options
 */
export const ownSources: ReadonlyArray<Source> = ["machine", "apt"]

/**
 * How to get a server.
 *
 * @since 0.1.0
 * @category options
 */
export interface Options {
  /** The sources, in the order they are tried. Default: `given`, then `ownSources`. */
  readonly sources?: ReadonlyArray<Source> | undefined
  /** Further settings of a server of our own, as in `redis.conf`. */
  readonly settings?: Readonly<Record<string, string | number>> | undefined
}

/**
 * A server.
 *
 * @since 0.1.0
 * @category services
 */
export interface RedisServer extends Controls.Controls<RedisServerError> {
  readonly url: Redacted.Redacted
  readonly host: string
  readonly port: number
  readonly password: Redacted.Redacted
  /** Such as `7.0.15`. */
  readonly version: string
  /** Runs one command on a connection of its own, as an administrator. */
  readonly command: (...command: ReadonlyArray<string>) => Effect.Effect<Client.Reply, RedisServerError>
  /** Connections of clients as the server counts them; with a name, those that have set it. */
  readonly connections: (clientName?: string) => Effect.Effect<number, RedisServerError>
  /** Ends them; how many. */
  readonly killClients: (clientName?: string) => Effect.Effect<number, RedisServerError>
}

/**
 * The service tag of a server.
 *
 * @since 0.1.0
 * @category services
 */
export const RedisServer: Context.Service<RedisServer, RedisServer> = Context.Service<RedisServer>(
  "@breakwater/testing/RedisServer"
)

/**
 * Gets a server for the life of the scope. A wrong option is a `RangeError`
 * thrown by the call.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<RedisServer, RedisServerError, Scope.Scope> => {
  const { settings = {}, sources = ["given", ...ownSources] } = options
  for (const [name, value] of Object.entries(settings)) {
    if (!/^[a-z][a-z0-9-]*$/i.test(name) || /[\r\n]/.test(String(value))) {
      throw new RangeError(
        `RedisServer.make: settings has ${
          JSON.stringify(name)
        }, allowed are names of Redis settings with values of one line`
      )
    }
  }
  return Effect.flatMap(
    Sources.find(sources, finders, errors),
    (found) => "url" in found ? attach({ url: found.url }) : ownServer(found.program, settings)
  )
}

/**
 * `make` as a layer. A wrong option is a `RangeError` thrown by the call.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<RedisServer, RedisServerError> =>
  Layer.effect(RedisServer, make(options))

/**
 * Uses a running server; `given` is true.
 *
 * @since 0.1.0
 * @category constructors
 */
export const attach = (options: { readonly url: Redacted.Redacted }): Effect.Effect<RedisServer, RedisServerError> =>
  fromUrl(options.url, Controls.refused(errors))

/**
 * Whether a server that may be killed can be had without installing one.
 *
 * @since 0.1.0
 * @category predicates
 */
export const hasBinaries: Effect.Effect<boolean> = Effect.map(Binaries.onMachine, (found) => "program" in found)

const ownServer = (program: string, settings: Readonly<Record<string, string | number>>) =>
  Effect.gen(function*() {
    const password = randomBytes(18).toString("hex")
    const urlOf = (port: number) => `redis://:${password}@${Ports.host}:${port}`
    const { controls, port } = yield* OwnServer.make({
      kind: "redis",
      errors,
      secret: password,
      signals: { stop: "SIGTERM", abandon: "SIGKILL" },
      prepare: (folder) => configure(folder, password, settings),
      command: (folder, chosen) => [program, configFile(folder), "--port", String(chosen)],
      probe: (chosen) => Client.run(new URL(urlOf(chosen)), "probe", "PING")
    })
    return yield* fromUrl(Redacted.make(urlOf(port)), controls)
  })

const configFile = (folder: string) => Path.join(Folder.dataFolder(folder), "redis.conf")

/** The password goes into a file: what is on the command line is seen by everybody. */
const configure = (folder: string, password: string, settings: Readonly<Record<string, string | number>>) =>
  Effect.try({
    try: () => {
      const data = Folder.dataFolder(folder)
      Fs.mkdirSync(data, { mode: 0o700 })
      const lines = Object.entries({
        bind: Ports.host,
        dir: data,
        save: "\"\"",
        appendonly: "no",
        // The watchdog finds the server by the folder in its command line, which Redis else writes over.
        "set-proc-title": "no",
        requirepass: password,
        ...settings
      }).map(([name, value]) => `${name} ${value}\n`)
      Fs.writeFileSync(configFile(folder), lines.join(""), { mode: 0o600 })
    },
    catch: (cause) => errors.startFailed("folder", String(cause))
  })

const fromUrl = Effect.fnUntraced(function*(
  url: Redacted.Redacted,
  controls: Controls.Controls<RedisServerError>
): Effect.fn.Return<RedisServer, RedisServerError> {
  const parsed = yield* Client.parseUrl(url)
  const info = String(yield* Client.run(parsed, "ask the version", "INFO", "server"))
  const command = (...parts: ReadonlyArray<string>) => Client.run(parsed, parts[0] ?? "", ...parts)
  const clients = (name: string | undefined) =>
    Effect.map(command("CLIENT", "LIST"), (list) => clientsIn(String(list), name))
  return {
    url,
    host: parsed.hostname,
    port: Client.portOf(parsed),
    password: Redacted.make(decodeURIComponent(parsed.password)),
    version: /^redis_version:(.*?)\r?$/m.exec(info)?.[1] ?? "",
    ...controls,
    command,
    connections: (name) => Effect.map(clients(name), (ids) => ids.length),
    killClients: (name) =>
      Effect.flatMap(
        clients(name),
        (ids) =>
          Effect.as(Effect.forEach(ids, (id) => command("CLIENT", "KILL", "ID", id), { discard: true }), ids.length)
      )
  }
})

/** The ids in the answer to CLIENT LIST, but for our own: of all, or of those with a name. */
const clientsIn = (list: string, name: string | undefined): ReadonlyArray<string> =>
  list.split("\n").flatMap((line) => {
    const [, id] = /^id=(\d+)/.exec(line) ?? []
    const called = / name=(\S*)/.exec(line)?.[1]
    const wanted = name === undefined ? called !== Client.clientName : called === name
    return id !== undefined && wanted ? [id] : []
  })

const finders: Record<Source, Effect.Effect<Binaries.Found | Sources.Given>> = {
  given: Sources.fromEnvironment(errors.variable),
  machine: Binaries.onMachine,
  apt: Binaries.byApt
}
