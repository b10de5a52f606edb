/**
 * How many connections the server has, asked once, with the first session that opens anyway; and what that says of the
 * size of the pool.
 *
 * @internal
 */
import * as Sizing from "@breakwater/core/Sizing"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Session from "./session.ts"
import type { Settings } from "./settings.ts"

const LIMIT = Duration.seconds(1)

const QUESTION =
  "select current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int"

/** What there is to say, in the words of `Sizing`. */
const told = ({ max, replicas }: Known, advice: Sizing.Advice, room: number): string | undefined => {
  if (advice.change !== "keep") return `pool.size.max is ${Sizing.overcommitted(max, replicas, room) ?? max}`
  return advice.findings.find(({ kind }) => kind === "setting")?.says
}

interface Known {
  readonly max: number
  readonly replicas: number
}

export class Room {
  private readonly settings: Settings
  private asked = false

  constructor(settings: Settings) {
    this.settings = settings
  }

  /** Does not keep the session, nor its opening, waiting. */
  readonly look = ({ pg }: Session.Session): Effect.Effect<void, never, Scope.Scope> => {
    if (this.asked) return Effect.void
    this.asked = true
    // Not by `run`: giving up while another statement has the session must not cancel that one.
    return pg.queryValues(QUESTION, [], false).pipe(
      Effect.timeout(LIMIT),
      Effect.flatMap(([row]) => this.compare(Number(row?.[0]), Number(row?.[1]))),
      Effect.ignore,
      Effect.forkScoped,
      Effect.asVoid
    )
  }

  /** Fails for what no Postgres says, but something that speaks like one may. */
  private compare(maxConnections: number, reserved: number) {
    const { bouncer, name, pool: { size: { max } }, replicas } = this.settings
    return Effect.flatMap(
      Effect.try(() =>
        Sizing.advise({
          server: { maxConnections, reserved, pooler: bouncer },
          deployment: { replicas },
          pool: { max }
        })
      ),
      (advice) => {
        const says = told({ max, replicas }, advice, maxConnections - reserved)
        if (says === undefined) return Effect.void
        const { change, findings, limit, pooler } = advice
        const reasons = findings.filter(({ kind }) => kind !== "basis")
        return Effect.logWithLevel(change === "keep" ? "Info" : "Warn")(`postgres "${name}": ${says}`).pipe(
          Effect.annotateLogs({
            backend: name,
            kind: "postgres",
            max,
            replicas,
            server_max_connections: maxConnections,
            advised_max: limit,
            advised_server_max_connections: advice.maxConnections,
            advised_pooler: pooler,
            reasons: reasons.map(({ says: reason }) => reason).join("; "),
            sources: [...new Set(reasons.map(({ source }) => source))].join("; ")
          })
        )
      }
    )
  }
}
