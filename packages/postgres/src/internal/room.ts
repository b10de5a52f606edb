/**
 * How many connections the server has, asked once, with the first session that opens anyway; and what that says of the
 * size of the pool.
 *
 * @internal
 */
import * as LogLine from "@breakwater/core/LogLine"
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
const told = ({ bouncer, pool: { size: { max } }, replicas }: Settings, advice: Sizing.Advice, room: number) => {
  // Not by what is advised, which is to keep a `max` of 1 however many replicas there are.
  const much = bouncer ? undefined : Sizing.overcommitted(max, replicas, room)
  if (much !== undefined) return ["Warn", `pool.size.max is ${much}`] as const
  const setting = advice.findings.find(({ kind }) => kind === "setting")?.says
  return setting === undefined ? undefined : ["Info", setting] as const
}

const adviceFacts = ({ findings, limit, maxConnections, pooler }: Sizing.Advice): LogLine.Facts => {
  const reasons = findings.filter(({ kind }) => kind !== "basis")
  return {
    advised_max: limit,
    advised_server_max_connections: maxConnections,
    advised_pooler: pooler,
    reasons: reasons.map(({ says }) => says).join("; "),
    sources: [...new Set(reasons.map(({ source }) => source))].join("; ")
  }
}

/** Of the server. */
interface Limits {
  readonly maxConnections: number
  readonly reserved: number
}

export class Room {
  private readonly settings: Settings
  private asked = false
  /** Once the server has told them. */
  private limits: Limits | undefined

  constructor(settings: Settings) {
    this.settings = settings
  }

  /** What is known by now. */
  get situation(): Pick<Sizing.Situation, "server" | "deployment"> {
    return this.situationWith(this.limits)
  }

  /** Does not keep the session, nor its opening, waiting. */
  readonly look = ({ pg }: Session.Session): Effect.Effect<void, never, Scope.Scope> => {
    if (this.asked) return Effect.void
    this.asked = true
    // Not by `run`: giving up while another statement has the session must not cancel that one.
    return pg.queryValues(QUESTION, [], false).pipe(
      Effect.timeout(LIMIT),
      Effect.flatMap(([row]) => this.compare({ maxConnections: Number(row?.[0]), reserved: Number(row?.[1]) })),
      Effect.ignore,
      Effect.forkScoped,
      Effect.asVoid
    )
  }

  private situationWith(limits: Limits | undefined): Pick<Sizing.Situation, "server" | "deployment"> {
    const { bouncer, replicas } = this.settings
    return { server: { ...limits, pooler: bouncer }, deployment: { replicas } }
  }

  /** Fails for what no Postgres says, but something that speaks like one may. */
  private compare(limits: Limits) {
    const { settings } = this
    const { name, pool: { size: { max } }, replicas } = settings
    return Effect.flatMap(
      Effect.try(() => Sizing.advise({ ...this.situationWith(limits), pool: { max } })),
      (advice) => {
        this.limits = limits
        const { maxConnections, reserved } = limits
        const says = told(settings, advice, maxConnections - reserved)
        if (says === undefined) return Effect.void
        const [level, message] = says
        const facts = LogLine.pairs({
          replicas,
          server_max_connections: maxConnections,
          ...adviceFacts(advice)
        })
        const line = `${LogLine.subject("postgres", name)}: ${message}: ${facts}`
        return Effect.logWithLevel(level)(line)
      }
    )
  }
}
