/**
 * Hears all that a program says: its logs of every level, its spans as exporters send them, and whatever else it is
 * shown, errors and statistics for instance. For tests that a secret shows nowhere.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"

/**
 * What was said, and by what it was heard.
 *
 * @since 0.1.0
 * @category models
 */
export interface Witness {
  /** Keeps a value as everybody may print it: as text, as JSON, and taken apart by an inspector. */
  readonly see: (value: unknown) => void
  /** Listens to the logs and spans of an effect, in place of who would listen else. */
  readonly listen: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** All of it. */
  readonly said: () => string
}

/** Each object once: what points to itself has no end. */
const json = (value: unknown): string | undefined => {
  const known = new WeakSet<object>()
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === "bigint") return String(inner)
    if (typeof inner !== "object" || inner === null) return inner
    if (known.has(inner)) return undefined
    known.add(inner)
    return inner
  })
}

/**
 * A witness that has heard nothing yet.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Witness> = Effect.sync(() => {
  const heard: Array<string> = []
  const see = (value: unknown): void => {
    heard.push(String(value), json(value) ?? "", inspect(value, { depth: 8, showHidden: true }))
  }
  const logger = Logger.make<unknown, void>(({ cause, message }) => {
    see(message)
    see(cause)
  })
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      const end = span.end.bind(span)
      span.end = (endTime, exit) => {
        end(endTime, exit)
        see(span.name)
        if (Exit.isFailure(exit)) see(Cause.pretty(exit.cause))
        see(Object.fromEntries(span.attributes))
        see(span.events)
      }
      return span
    }
  })
  return {
    see,
    listen: (effect) =>
      effect.pipe(
        Effect.withTracer(tracer),
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(References.MinimumLogLevel, "All")
      ),
    said: () => heard.join("\n")
  }
})
