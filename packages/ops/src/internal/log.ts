/**
 * Writes what changes, and now and then how things stand.
 *
 * @internal
 */
import type { Backend } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import * as LogLine from "@breakwater/core/LogLine"
import * as Monotonic from "@breakwater/core/Monotonic"
import type { Holder } from "@breakwater/core/PoolError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { listen } from "./listen.ts"
import { type Line, Transitions } from "./transitions.ts"

const LOOK_EVERY = "1 second"

const write = ({ level, message }: Line): Effect.Effect<void> => Effect.logWithLevel(level)(message)

const monotonic = Effect.map(Clock.Clock, Monotonic.millis)

const holderOf = (backend: Backend): Effect.Effect<Holder | undefined> =>
  Effect.map(backend.detail ?? Effect.undefined, (detail) => detail?.holders[0])

/** Until the scope closes. */
export const changes: Effect.Effect<void, never, Scope.Scope> = Effect.gen(function*() {
  const known = new WeakMap<Backend, Transitions>()
  const of = (entry: Backends.Entry): Transitions => {
    const found = known.get(entry.backend) ?? new Transitions(entry)
    known.set(entry.backend, found)
    return found
  }
  const look = (entry: Backends.Entry) =>
    Effect.gen(function*() {
      const stats = yield* entry.backend.stats
      const line = of(entry).look(stats, yield* monotonic, yield* holderOf(entry.backend))
      if (line !== undefined) yield* write(line)
    })
  yield* listen(({ changes: stream = Stream.empty }) => stream, (entry, event) =>
    Effect.gen(function*() {
      const line = of(entry).on(event, yield* entry.backend.stats, yield* monotonic)
      if (line !== undefined) yield* write(line)
    }))
  const lookAtAll = Effect.flatMap(Backends.list, (entries) => Effect.forEach(entries, look, { discard: true }))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(lookAtAll, Effect.sleep(LOOK_EVERY))))
})

const standing = ({ backend, label }: Backends.Entry): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { acquired, idle, max, refused, reused, shed, timedOut, unavailable, used, waiting } = yield* backend.stats
    const { circuit } = yield* backend.policy
    const now = { used, idle, waiting, max, breaker: circuit?.state }
    const soFar = { acquired, reused, timed_out: timedOut, refused, shed, unavailable }
    yield* Effect.logInfo(`${LogLine.subject(backend.kind, label)} stands: ${LogLine.pairs({ ...now, ...soFar })}`)
  })

const summary = Effect.flatMap(Backends.list, (entries) => Effect.forEach(entries, standing, { discard: true }))

export const stats = (every: number): Effect.Effect<never> =>
  Effect.forever(Effect.andThen(Effect.sleep(every), summary))
