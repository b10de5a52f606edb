/**
 * How long statements take on their session: as a histogram, and in the log where they take too long, or where all of
 * them are to be there. Of a statement its text is logged, without what stands in it for a value.
 *
 * @internal
 */
import * as Monotonic from "@breakwater/core/Monotonic"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Settings } from "./settings.ts"
import { verbOf } from "./statement.ts"

/** Texts, comments, names in quotes, and numbers that are no parameter and no part of a name. */
const PIECES = new RegExp(
  [
    /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/,
    /\be'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)|'(?:[^']|'')*(?:'|$)/,
    /\$([a-z_]\w*)?\$[\s\S]*?(?:\$\1\$|$)/,
    /"(?:[^"]|"")*(?:"|$)/,
    /(?<![\w$])\d+(?:\.\d*)?(?:e[+-]?\d+)?(?!\w)/
  ].map(({ source }) => source).join("|"),
  "gi"
)

const LONGEST = 500

/** Where the text of a statement is shown: it may have secrets in it. */
export const withoutLiterals = (sql: string): string => {
  const shown = sql.replace(PIECES, (piece) => {
    if (piece.startsWith("\"")) return piece
    return piece.startsWith("--") || piece.startsWith("/*") ? " " : "?"
  }).replaceAll(/\s+/g, " ").trim()
  return shown.length <= LONGEST ? shown : `${shown.slice(0, LONGEST)}…`
}

/** Seconds: the bounds that OpenTelemetry advises for `db.client.operation.duration`. */
const BOUNDARIES = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]

/** Verbs are few; a program that makes them up must not fill the memory. */
const MAX_VERBS = 64

export class StatementLog {
  private readonly durations = new Map<string, ReturnType<typeof Metric.histogram>>()
  private readonly settings: Pick<Settings, "log" | "name">

  constructor(settings: Pick<Settings, "log" | "name">) {
    this.settings = settings
  }

  /** `work` runs the statement: what it waits for before is not a part of it. */
  watch<A, E, R>(sql: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.withFiber((fiber) => {
      const clock = Context.get(fiber.context, Clock.Clock)
      const since = Monotonic.millis(clock)
      return Effect.onExitPrimitive(work, () => {
        const millis = Monotonic.millis(clock) - since
        this.durationOf(sql).updateUnsafe(millis / 1000, fiber.context)
        return this.line(sql, millis)
      })
    })
  }

  private line(sql: string, millis: number): Effect.Effect<void> | undefined {
    const { log: { error, statements, warn }, name } = this.settings
    if (millis < warn && millis < error && !statements) return undefined
    const text = `${Math.round(millis)} ms: ${withoutLiterals(sql)}`
    if (millis >= error) return Effect.logError(`postgres "${name}": very slow statement, ${text}`)
    if (millis >= warn) return Effect.logWarning(`postgres "${name}": slow statement, ${text}`)
    return Effect.logInfo(`postgres "${name}": statement, ${text}`)
  }

  private durationOf(sql: string): ReturnType<typeof Metric.histogram> {
    const verb = verbOf(sql)
    const known = this.durations.get(verb)
    if (known !== undefined) return known
    if (this.durations.size >= MAX_VERBS && verb !== "") return this.durationOf("")
    const made = Metric.histogram("db.client.operation.duration", {
      attributes: {
        "db.system.name": "postgresql",
        "db.operation.name": verb === "" ? "statement" : verb.toUpperCase(),
        "db.client.connection.pool.name": this.settings.name,
        unit: "s"
      },
      boundaries: BOUNDARIES
    })
    this.durations.set(verb, made)
    return made
  }
}
