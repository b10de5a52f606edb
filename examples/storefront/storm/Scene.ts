/** What the storm breaks: a Postgres behind a proxy whose network fails on command, and the storefront in front of both. */
import { FaultProxy, PostgresServer } from "@breakwater/testing"
import { Data, Deferred, Effect, Redacted, Ref, Schedule, Schema, Stream } from "effect"
import * as Child from "./Child.ts"

/** The storefront did not start, or ended before it was told to. */
export class StorefrontEnded extends Data.TaggedError("StorefrontEnded")<{ readonly output: ReadonlyArray<string> }> {
  override get message() {
    return `The storefront did not start, or ended by itself. What it said last:\n${this.output.join("\n")}`
  }
}

const KEPT_LINES = 20
const START_LIMIT = "20 seconds"

/** The counts of a pool that are shown. */
const Pool = Schema.Struct({
  used: Schema.Int,
  idle: Schema.Int,
  waiting: Schema.Int,
  max: Schema.Int,
  opened: Schema.Int
})
const Pools = Schema.Record(Schema.String, Pool)

export type Pools = typeof Pools.Type

export const make = Effect.gen(function*() {
  const server = yield* PostgresServer.make()
  const proxy = yield* FaultProxy.make({ target: server })
  const storefront = yield* startStorefront(throughProxy(server.url, proxy))
  const pools = yield* Ref.make<Pools>({})
  const ask = (path: string) =>
    Effect.tryPromise((signal) => fetch(`${storefront.url}${path}`, { signal })).pipe(Effect.timeout("500 millis"))
  /** Whether a load balancer would send it requests. */
  const isReady = ask("/health/ready").pipe(Effect.map((response) => response.ok), Effect.orElseSucceed(() => false))
  yield* isReady.pipe(
    Effect.repeat({ until: (ready) => ready, schedule: Schedule.spaced("50 millis") }),
    Effect.timeoutOrElse({ duration: START_LIMIT, orElse: () => Effect.fail(new StorefrontEnded(storefront)) })
  )
  return {
    server,
    proxy,
    ...storefront,
    isReady,
    /** As the storefront says; what it said last where it does not answer in time. */
    pools: ask("/health/pools").pipe(
      Effect.flatMap((response) => Effect.tryPromise(() => response.json())),
      Effect.flatMap(Schema.decodeUnknownEffect(Pools)),
      Effect.tap((now) => Ref.set(pools, now)),
      Effect.catch(() => Ref.get(pools))
    )
  }
})

export type Scene = Effect.Success<typeof make>

const throughProxy = (url: Redacted.Redacted, proxy: FaultProxy.Address): string => {
  const through = new URL(Redacted.value(url))
  through.hostname = proxy.host
  through.port = String(proxy.port)
  return through.href
}

const startStorefront = Effect.fnUntraced(function*(databaseUrl: string) {
  const { handle, lines } = yield* Child.start("../main.ts", {
    env: { DATABASE_URL: databaseUrl, HOST: "127.0.0.1", PORT: "0", DRAIN_GRACE: "1 second" },
    patience: "3 seconds"
  })
  const output: Array<string> = []
  const listening = yield* Deferred.make<string, StorefrontEnded>()
  yield* lines.pipe(
    Stream.runForEach((line) => {
      output.push(line)
      if (output.length > KEPT_LINES) output.shift()
      const [, url] = /Listening on (http:\S+)/.exec(line) ?? []
      return url === undefined ? Effect.void : Deferred.succeed(listening, url)
    }),
    Effect.andThen(Effect.suspend(() => Deferred.fail(listening, new StorefrontEnded({ output })))),
    Effect.forkScoped
  )
  const url = yield* Deferred.await(listening).pipe(
    Effect.timeoutOrElse({
      duration: START_LIMIT,
      orElse: () => Effect.fail(new StorefrontEnded({ output }))
    })
  )
  return { url, storefront: handle, output }
})
