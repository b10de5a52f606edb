/** How a backend does, and why: what a person should see first. */
import { count, duration, list, many, words } from "./format.ts"
import {
  type Counted,
  defenceNames,
  defences,
  failureNames,
  failures,
  type Sample,
  tally,
  type Tone
} from "./sample.ts"
import type { Loss } from "./tones.ts"
import type { BackendStats } from "./wire.ts"

export interface Verdict {
  readonly tone: Tone
  /** The most telling first; none where all is calm. */
  readonly reasons: ReadonlyArray<string>
}

/** So many samples are looked back on, so that what lasts a second does not flicker. */
export const LOOK_BACK = 3

/** A wait that a person would notice, in milliseconds. */
const LONG_WAIT = 100

/** Above this share of the time that connections are held without need, it is what others wait for. */
const MUCH_IDLE = 0.5

interface Sign {
  readonly tone: Exclude<Tone, "calm">
  readonly reason: string
}

const circuitSigns = ({ policy: { circuit } }: BackendStats): ReadonlyArray<Sign> => {
  if (circuit === undefined || circuit.mode === "disabled" || circuit.mode === "metricsOnly") return []
  if (circuit.mode === "forcedOpen") return [{ tone: "failing", reason: "the breaker is held open by hand" }]
  if (circuit.state === "open") return [{ tone: "failing", reason: "the breaker is open" }]
  return circuit.state === "half-open" ? [{ tone: "strained", reason: "the breaker is trying again" }] : []
}

/** Of something counted, in words. */
const told = { ...failures, ...defences }

const failureSigns = (recent: ReadonlyArray<Pick<Sample, "since">>): ReadonlyArray<Sign> =>
  tally(recent, failureNames).map(({ kind, times }) => ({
    tone: "failing",
    reason: `${many(times, "call")} ${told[kind]}`
  }))

const defenceReason = (kind: Counted, times: number): string => {
  if (kind === "retries") return many(times, "retry", "retries")
  return kind === "attemptTimeouts" ? `${many(times, "attempt")} ${told[kind]}` : `${count(times)} ${told[kind]}`
}

const defenceSigns = (recent: ReadonlyArray<Pick<Sample, "since">>): ReadonlyArray<Sign> =>
  tally(recent, defenceNames).map(({ kind, times }) => ({ tone: "strained", reason: defenceReason(kind, times) }))

/** Connections of WebSockets are lent to nobody: what waits is what is sent, until a peer has read what came before. */
const waitingText = ({ kind, pool: { max, waiting } }: BackendStats): string =>
  kind === "websocket"
    ? `${many(waiting, "message")} waiting to be sent`
    : `${count(waiting)} waiting for ${many(max, "connection")}`

/** Whether somebody waits, or the next one would. */
const dryness = ({ max, used, waiting }: BackendStats["pool"]): "waiting" | "full" | undefined => {
  if (waiting > 0) return "waiting"
  return max > 0 && used >= max ? "full" : undefined
}

const poolSigns = (stats: BackendStats): ReadonlyArray<Sign> => {
  const { pool, times: { wait } } = stats
  const dry = dryness(pool)
  return [
    ...(dry === undefined
      ? []
      : [{ tone: "strained", reason: dry === "waiting" ? waitingText(stats) : "every connection is in use" } as const]),
    ...(wait !== null && wait.count > 0 && wait.p95 >= LONG_WAIT
      ? [{ tone: "strained", reason: `a connection took up to ${duration(wait.p95)} to come` } as const]
      : [])
  ]
}

/** Where there are connections enough it does no harm. */
const heldIdleSigns = ({ pool, share_held_idle: share }: BackendStats): ReadonlyArray<Sign> =>
  share !== null && share >= MUCH_IDLE && dryness(pool) !== undefined
    ? [{ tone: "strained", reason: `nothing runs for ${Math.round(share * 100)} % of the time that they are held` }]
    : []

/** An older check, in milliseconds, says nothing about now. */
const RECENT_CHECK = 15_000

/** The last check, if it says something about now: checks are made only when somebody asks for them. */
export const recentHealth = (at: number, { health }: BackendStats): BackendStats["health"] =>
  health === null || at - health.at > RECENT_CHECK ? null : health

const healthSigns = (at: number, stats: BackendStats): ReadonlyArray<Sign> =>
  recentHealth(at, stats)?.status === "unhealthy" ? [{ tone: "failing", reason: "it does not answer its check" }] : []

const lossSigns = (losses: ReadonlyArray<Loss>): ReadonlyArray<Sign> => {
  const whys = losses.flatMap((loss) => loss.what === "connection" ? [words(loss.why).toLowerCase()] : [])
  const dials = losses.length - whys.length
  const lost = `${many(whys.length, "connection")} lost (${list([...new Set(whys)])})`
  return [
    ...(whys.length > 0 ? [{ tone: "strained", reason: lost } as const] : []),
    ...(dials > 0 ? [{ tone: "strained", reason: `${many(dials, "dial")} failed` } as const] : [])
  ]
}

/** All that a verdict rests on. */
export interface Evidence {
  readonly at: number
  readonly stats: BackendStats
  /** The samples of the last seconds, that of `at` among them. */
  readonly recent: ReadonlyArray<Pick<Sample, "since">>
  /** Of the last seconds. */
  readonly losses: ReadonlyArray<Loss>
}

export const verdictOf = ({ at, losses, recent, stats }: Evidence): Verdict => {
  const signs = [
    ...circuitSigns(stats),
    ...healthSigns(at, stats),
    ...failureSigns(recent),
    ...poolSigns(stats),
    ...heldIdleSigns(stats),
    ...lossSigns(losses),
    ...defenceSigns(recent)
  ]
  const tone = signs.some((sign) => sign.tone === "failing") ? "failing" : signs.length > 0 ? "strained" : "calm"
  return { tone, reasons: signs.map(({ reason }) => reason) }
}

const ORDER: ReadonlyArray<Tone> = ["calm", "strained", "failing"]

export const worst = (tones: ReadonlyArray<Tone>): Tone =>
  tones.reduce((a, b) => ORDER.indexOf(a) >= ORDER.indexOf(b) ? a : b, "calm")

export const toneWords: Record<Tone, string> = { calm: "Calm", strained: "Strained", failing: "Failing" }
