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
import * as Config from "effect/Config"
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
import * as Ports from "./internal/ports.ts"
import * as ServerProcess from "./internal/serverProcess.ts"
import { MongoServerError, NotFound, NotOurs, StartFailed } from "./MongoServerError.ts"

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
export interface MongoServer {
  readonly url: Redacted.Redacted
  readonly source: Source
  /** No MongoDB, but a stand-in for its protocol. */
  readonly responder: boolean
  /** The stand-in itself, with its faults. */
  readonly fake: Option.Option<FakeMongo.FakeMongo>
  /** Such as `7.0.15`; `responder` for the responder. */
  readonly version: string
  /** Not started here: `kill`, `start` and `restart` fail with `NotOurs`. */
  readonly given: boolean
  /** As in a crash. Nothing when it is down already. */
  readonly kill: Effect.Effect<void, MongoServerError>
  /** On the same port; done when it accepts connections. Nothing when it runs already. */
  readonly start: Effect.Effect<void, MongoServerError>
  /** Down, then up. */
  readonly restart: Effect.Effect<void, MongoServerError>
  /** Connections of clients as the server counts them, those that monitor included; with a name, of that application. */
  readonly connections: (appName?: string) => Effect.Effect<number, MongoServerError>
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
  Effect.gen(function*() {
    const tried: Array<{ readonly source: Source; readonly why: string }> = []
    for (const source of options.sources ?? ["given", ...ownSources]) {
      const found = yield* finders[source]
      if (!("why" in found)) return yield* found.server
      tried.push({ source, why: found.why })
    }
    return yield* new MongoServerError({ reason: new NotFound({ tried }) })
  })

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
  real("given", options.url, { kill: refused("kill"), start: refused("start"), restart: refused("restart") })

const refused = (operation: string) => Effect.fail(new MongoServerError({ reason: new NotOurs({ operation }) }))

const failed = (step: StartFailed["step"], detail: string) =>
  new MongoServerError({ reason: new StartFailed({ step, detail }) })

const real = (
  source: Source,
  url: Redacted.Redacted,
  control: Pick<MongoServer, "kill" | "start" | "restart">
): Effect.Effect<MongoServer, MongoServerError> =>
  Effect.map(Admin.version(url), (version) => ({
    url,
    source,
    responder: false,
    fake: Option.none(),
    version,
    given: source === "given",
    kill: control.kill,
    start: control.start,
    restart: control.restart,
    connections: (appName) => Admin.connections(url, appName)
  }))

const own = (source: "mongod" | "ferretdb", program: string) =>
  Effect.gen(function*() {
    const folder = yield* Folder.make({
      kind: source,
      identity: undefined, // runs as root too
      failed: (detail) => failed("folder", detail)
    })
    const data = Folder.dataFolder(folder)
    yield* Effect.try({ try: () => Binaries.prepare(data), catch: (cause) => failed("folder", String(cause)) })
    const urlOf = (port: number) => Redacted.make(`mongodb://${Ports.host}:${port}/?directConnection=true`)
    const { controls, port: chosen } = yield* Controls.make({
      start: (port) =>
        ServerProcess.start({
          command: [program, ...Binaries.argumentsOf[source](data, port)],
          folder,
          identity: undefined,
          secret: "\0", // it has none
          signals: { stop: "SIGTERM", abandon: "SIGKILL" },
          probe: Admin.version(urlOf(port)),
          failed: (detail) => failed("start", detail)
        }),
      notRunning: () => failed("start", "it is not running"),
      failed: (detail) => failed("start", detail)
    })
    return yield* real(source, urlOf(chosen), controls)
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
  restart: Effect.andThen(fake.kill, fake.start),
  connections: fake.connections
}))

type Found =
  | { readonly server: Effect.Effect<MongoServer, MongoServerError, Scope.Scope> }
  | { readonly why: string }

const onPath = (source: "mongod" | "ferretdb"): Effect.Effect<Found> =>
  Effect.sync(() => {
    const program = Binaries.find(source)
    return program === undefined ? { why: `no ${source} on PATH` } : { server: own(source, program) }
  })

const finders: Record<Source, Effect.Effect<Found>> = {
  given: Config.Redacted("BREAKWATER_TEST_MONGODB_URL").pipe(
    Config.option,
    Effect.orDie, // an optional variable of any content can't fail
    Effect.map((url) =>
      Option.isSome(url) ? { server: attach({ url: url.value }) } : { why: "BREAKWATER_TEST_MONGODB_URL is not set" }
    )
  ),
  mongod: onPath("mongod"),
  ferretdb: onPath("ferretdb"),
  responder: Effect.succeed({ server: fromFake })
}
