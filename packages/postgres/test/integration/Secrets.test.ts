/** The password shows nowhere: not in an error, an event, a span, a log line, nor in what anybody prints. */
import { Backends } from "@breakwater/core"
import { Postgres } from "@breakwater/postgres"
import { PostgresServer } from "@breakwater/testing"
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Logger, Redacted, References, Stream, Tracer } from "effect"
import { onOwnServer, open, proxied, through } from "../utils/database.ts"

const MARKER = "s3cret-marker"

const show = (value: unknown): string => {
  const known = new WeakSet<object>()
  return `${String(value)} ${
    JSON.stringify(value, (_, inner: unknown) => {
      if (typeof inner === "bigint") return String(inner)
      if (typeof inner !== "object" || inner === null) return inner
      if (known.has(inner)) return undefined
      known.add(inner)
      return inner instanceof Error
        ? {
          ...Object.fromEntries(Object.entries(inner)),
          message: inner.message,
          stack: inner.stack,
          cause: inner.cause
        }
        : inner
    })
  }`
}

/** Whatever is said while an effect runs, in `seen`. */
const listening = (seen: Array<string>) => {
  const logger = Logger.make(({ cause, message }) => void seen.push(show(message), show(cause)))
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      const end = span.end.bind(span)
      span.end = (endTime, exit) => {
        end(endTime, exit)
        seen.push(show(exit), show(Object.fromEntries(span.attributes)))
      }
      return span
    }
  })
  return <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    effect.pipe(
      Effect.withTracer(tracer),
      Effect.provide(Logger.layer([logger])),
      Effect.provideService(References.MinimumLogLevel, "All"),
      Backends.isolated
    )
}

const withCredentials = (url: Redacted.Redacted, password: string) => {
  const changed = new URL(Redacted.value(url))
  changed.username = "marked"
  changed.password = password
  return Redacted.make(changed.href)
}

describe.skipIf(!TestPostgres.available)("Secrets", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((it) => {
    const test = it.effect.skipIf(!TestPostgres.ownAvailable)
    test("stay hidden in everything that can go wrong", () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const see = (value: unknown) => seen.push(show(value))
        const { proxy, server } = yield* proxied
        const admin = yield* open({ url: server.adminUrl })
        yield* Effect.acquireRelease(
          admin.sql.unsafe(`create role marked login password '${MARKER}'`),
          () => Effect.ignore(admin.sql`drop role marked`)
        )
        const url = withCredentials(through(server.url, proxy), MARKER)
        yield* Effect.gen(function*() {
          const options: Postgres.Options = {
            name: "orders",
            url,
            policy: { timeout: "200 millis", retry: { times: 1 } }
          }
          const postgres = yield* Postgres.make(options)
          yield* Effect.forkScoped(Stream.runForEach(postgres.backend.events, (event) => Effect.sync(() => see(event))))
          yield* postgres.sql`select 1`
          for (const value of [options, postgres, postgres.sql.config, postgres.backend]) see(value)
          yield* postgres.use((session) => Effect.sync(() => see(session)))
          yield* proxy.blackHole
          see(yield* Effect.exit(postgres.sql`select 1`))
          yield* proxy.refuse
          yield* proxy.reset
          for (let n = 0; n < 4; n++) see(yield* Effect.exit(postgres.sql`select 1`))
          see(yield* Effect.exit(postgres.sql.withTransaction(postgres.sql`select 1`)))
          see(yield* postgres.health)
          yield* proxy.restore
          const refused = yield* Postgres.make({ name: "orders", url: withCredentials(url, `${MARKER}x`) })
          see(yield* Effect.exit(refused.sql`select 1`))
          see(yield* refused.health)
        }).pipe(Effect.scoped, listening(seen))
        assert.isAbove(seen.length, 30)
        assert.isTrue(seen.some((text) => text.includes("password authentication failed")))
        for (const text of seen) assert.notInclude(text, MARKER)
      }).pipe(onOwnServer), 20_000)

    it.effect("stay hidden in a URL that is wrong", () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const { url } = yield* PostgresServer.PostgresServer
        const parameter = new URL(Redacted.value(withCredentials(url, MARKER)))
        parameter.searchParams.set("pool_timeout", "0")
        const urls = [
          parameter.href,
          `postgres://app:${MARKER}@[/`,
          `postgres://app:${MARKER}%zz@localhost/app`,
          `postgres://app:1/${MARKER}@localhost/app`,
          `${MARKER}://x`
        ]
        for (const text of urls) {
          const exit = yield* Effect.exit(Postgres.make({ name: "orders", url: Redacted.make(text) })).pipe(
            Effect.scoped,
            listening(seen)
          )
          seen.push(show(exit))
        }
        assert.strictEqual(seen.length, urls.length)
        for (const text of seen) assert.notInclude(text, MARKER)
      }))
  })
})
