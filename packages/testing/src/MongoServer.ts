/**
 * A MongoDB for tests, examples and benchmarks: given by `BREAKWATER_TEST_MONGODB_URL`, or a `mongod` or `ferretdb` on
 * PATH started here, or, where there is none, the responder of `FakeMongo`. `responder` says that it is one: what was
 * shown on it was shown of the driver and of what is around it, not of MongoDB.
 *
 * A server of our own listens on 127.0.0.1 only, keeps its port and its data over `kill` and `start`, and goes with the
 * scope, its folder too.
 *
 * Waiting for a server is waiting in real time, under a `TestClock` too.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as FakeMongo from "./FakeMongo.ts"
import * as Controls from "./internal/controls.ts"
import * as Folder from "./internal/folder.ts"
import * as Admin from "./internal/mongo/admin.ts"
import * as Binaries from "./internal/mongo/binaries.ts"
import { errors } from "./internal/mongo/errors.ts"
import * as OwnServer from "./internal/ownServer.ts"
import * as Ports from "./internal/ports.ts"
import * as Programs from "./internal/programs.ts"
import * as Sources from "./internal/sources.ts"
import type { MongoServerError } from "./MongoServerError.ts"

/**
 * Where a server comes from.
 *
 * @since 0.1.0
 * @category models
 */
export type Source = "given" | "mongod" | "ferretdb" | "responder"

/**
 * The sources of servers that may be killed, in the order they are tried.
 *
 * @since 0.1.0
 * @category options
 */
export const ownSources: ReadonlyArray<Source> = ["mongod", "ferretdb", "responder"]

/**
 * How to get a server.
 *
 * @since 0.1.0
 * @category options
 */
export interface Options {
  /** The sources, in the order they are tried. Default: `given`, then `ownSources`. */
  readonly sources?: ReadonlyArray<Source> | undefined
}

/**
 * A server.
 *
 * @since 0.1.0
 * @category services
 */
export interface MongoServer extends Pick<Controls.Controls<MongoServerError>, "given" | "kill" | "start" | "restart"> {
  readonly url: Redacted.Redacted
  readonly source: Source
  /** No MongoDB, but a stand-in for its protocol. */
  readonly responder: boolean
  /** The stand-in itself, with its faults. */
  readonly fake: Option.Option<FakeMongo.FakeMongo>
  /** Such as `7.0.15`; `responder` for the responder. */
  readonly version: string
}

/**
 * The service tag of a server.
 *
 * @since 0.1.0
 * @category services
 */
export const MongoServer: Context.Service<MongoServer, MongoServer> = Context.Service<MongoServer>(
  "@breakwater/testing/MongoServer"
)

/**
 * Gets a server for the life of the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<MongoServer, MongoServerError, Scope.Scope> =>
  Effect.flatMap(
    Sources.find(options.sources ?? ["given", ...ownSources], finders, errors),
    (found) => "url" in found ? attach({ url: found.url }) : found.server
  )

/**
 * `make` as a layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<MongoServer, MongoServerError> =>
  Layer.effect(MongoServer, make(options))

/**
 * Uses a running server; `given` is true.
 *
 * @since 0.1.0
 * @category constructors
 */
export const attach = (options: { readonly url: Redacted.Redacted }): Effect.Effect<MongoServer, MongoServerError> =>
  // The driver's own complaint might repeat the URL, and with it the password.
  /^mongodb(\+srv)?:\/\/[^/]/.test(Redacted.value(options.url))
    ? real("given", options.url, Controls.refused(errors))
    : Effect.fail(errors.invalidUrl())

const real = (
  source: Source,
  url: Redacted.Redacted,
  { given, kill, restart, start }: Controls.Controls<MongoServerError>
): Effect.Effect<MongoServer, MongoServerError> =>
  Effect.map(Admin.version(url), (version) => ({
    url,
    source,
    responder: false,
    fake: Option.none(),
    version,
    given,
    kill,
    start,
    restart
  }))

const own = (source: "mongod" | "ferretdb", program: string) =>
  Effect.gen(function*() {
    const urlOf = (port: number) => Redacted.make(`mongodb://${Ports.host}:${port}/?directConnection=true`)
    const { controls, port } = yield* OwnServer.make({
      kind: source,
      errors,
      secret: "\0", // it has none
      signals: { stop: "SIGTERM", abandon: "SIGKILL" },
      prepare: (folder) =>
        Effect.try({
          try: () => Binaries.prepare(Folder.dataFolder(folder)),
          catch: (cause) => errors.startFailed("folder", String(cause))
        }),
      command: (folder, chosen) => [program, ...Binaries.argumentsOf[source](Folder.dataFolder(folder), chosen)],
      probe: (chosen) => Admin.version(urlOf(chosen))
    })
    return yield* real(source, urlOf(port), controls)
  })

const fromFake = Effect.map(FakeMongo.make, (fake): MongoServer => ({
  url: Redacted.make(`mongodb://${fake.host}:${fake.port}/?directConnection=true`),
  source: "responder",
  responder: true,
  fake: Option.some(fake),
  version: "responder",
  given: false,
  kill: fake.kill,
  start: fake.start,
  restart: Effect.andThen(fake.kill, fake.start)
}))

interface Found {
  readonly server: Effect.Effect<MongoServer, MongoServerError, Scope.Scope>
}

const onPath = (source: "mongod" | "ferretdb"): Effect.Effect<Found | Sources.Missing> =>
  Effect.sync(() => {
    const program = Programs.find(source)
    return program === undefined ? { why: `no ${source} on PATH` } : { server: own(source, program) }
  })

const finders: Record<Source, Effect.Effect<Found | Sources.Given | Sources.Missing>> = {
  given: Sources.fromEnvironment(errors.variable),
  mongod: onPath("mongod"),
  ferretdb: onPath("ferretdb"),
  responder: Effect.succeed({ server: fromFake })
}
