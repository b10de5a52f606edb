/**
 * Writes what changes, and now and then how things stand.
 *
 * @internal
 */
import type { Backend } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import * as Health from "@breakwater/core/Health"
import * as Monotonic from "@breakwater/core/Monotonic"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { listen } from "./listen.ts"
import { type Line, Transitions } from "./transitions.ts"

const LOOK_EVERY = "1 second"

const write = ({ details, level, message }: Line, { backend, label }: Backends.Entry): Effect.Effect<void> =>
  Effect.logWithLevel(level)(message).pipe(
    Effect.annotateLogs({ backend: label, kind: backend.kind, ...details })
  )

const monotonic = Effect.map(Clock.Clock, Monotonic.millis)

const holderOf = (backend: Backend): Effect.Effect<string | undefined> =>
  Effect.map(backend.detail ?? Effect.undefined, (detail) => {
    const [oldest] = detail?.holders ?? []
    if (oldest === undefined) return undefined
    const { age_ms, label, site } = Health.holderReport(oldest)
    return `${label ?? site ?? "not named"}, for ${age_ms} ms`
  })

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
      if (line !== undefined) yield* write(line, entry)
    })
  yield* listen(({ changes: stream = Stream.empty }) => stream, (entry, event) =>
    Effect.gen(function*() {
      const line = of(entry).on(event, yield* entry.backend.stats, yield* monotonic)
      if (line !== undefined) yield* write(line, entry)
    }))
  const lookAtAll = Effect.flatMap(Backends.list, (entries) => Effect.forEach(entries, look, { discard: true }))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(lookAtAll, Effect.sleep(LOOK_EVERY))))
})

const summary = Effect.gen(function*() {
  const entries = yield* Backends.list
  const parts = yield* Effect.forEach(entries, ({ backend, label }) =>
    Effect.gen(function*() {
      const { idle, max, used, waiting, ...counts } = yield* backend.stats
      const { circuit } = yield* backend.policy
      const { acquired, refused, reused, shed, timedOut, unavailable } = counts
      const breaker = circuit === undefined ? {} : { breaker: circuit.state }
      const away = { timedOut, refused, shed, unavailable }
      return [label, { used, idle, waiting, max, acquired, reused, ...away, ...breaker }] as const
    }))
  if (parts.length === 0) return
  yield* Effect.annotateLogs(Effect.logInfo("How the pools stand"), Object.fromEntries(parts))
})

export const stats = (every: number): Effect.Effect<never> =>
  Effect.forever(Effect.andThen(Effect.sleep(every), summary))
