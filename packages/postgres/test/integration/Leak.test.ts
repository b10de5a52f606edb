/** Who holds a session for suspiciously long. */
import * as TestPostgres from "@breakwater/testing/TestPostgres"
import { assert, describe, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Result, Stream } from "effect"
import { open } from "../utils/database.ts"

describe.skipIf(!TestPostgres.available)("A session that is held for too long", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((it) => {
    it.effect("is named by what holds it, and again when it comes back", () =>
      Effect.gen(function*() {
        const { backend, sql } = yield* open({ pool: { leak: { after: "50 millis" } } })
        const named = yield* Deferred.make<void>()
        const telling = backend.events.pipe(
          Stream.filterMap((event) =>
            event._tag === "Leaked" || event._tag === "LeakReturned" ? Result.succeed(event) : Result.failVoid
          ),
          Stream.tap(() => Deferred.succeed(named, undefined)),
          Stream.map(({ _tag, holder }) => `${_tag} ${holder.label}`),
          Stream.take(2),
          Stream.runCollect
        )
        const told = yield* Effect.forkChild(telling, { startImmediately: true })
        yield* sql.withTransaction(Deferred.await(named))
        const name = `${backend.name}.transaction`
        assert.deepStrictEqual(yield* Fiber.join(told), [`Leaked ${name}`, `LeakReturned ${name}`])
      }))
  })
})
