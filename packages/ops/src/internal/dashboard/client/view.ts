/** What is shown of all that is known: texts and shapes, ready to be put into the page. */
import * as Format from "./format.ts"
import type { Told } from "./happenings.ts"
import { type BackendModel, type Model, spanOf } from "./model.ts"
import { type Run, runs } from "./plot.ts"
import { plotsOf, type PlotView } from "./plots.ts"
import { chipsOf, type ChipView } from "./policies.ts"
import { failedIn, type Tone } from "./sample.ts"
import { recentHealth, toneWords, worst } from "./verdict.ts"
import type { Phase, Stats } from "./wire.ts"

export interface PhaseView {
  readonly word: string
  readonly state: "past" | "now" | "to come"
}

export interface TileView {
  readonly name: string
  readonly value: string
  readonly of: string
  readonly tone: Tone
}

export interface BackendView {
  readonly label: string
  readonly kind: string
  readonly about: string
  readonly tone: Tone
  readonly word: string
  readonly reason: string
  readonly used: string
  readonly opening: string
  readonly idle: string
  readonly max: string
  readonly waiting: string
  readonly wait: string
  readonly breaker: ChipView | undefined
  /** Shares of the bar, which stand for connections. */
  readonly bar: { readonly used: number; readonly opening: number; readonly idle: number; readonly free: number }
  readonly barLabel: string
  /** Between none and all of the room for those who wait. */
  readonly queue: number
  readonly slots: number
  readonly runs: ReadonlyArray<Run>
  readonly runsLabel: string
  readonly chips: ReadonlyArray<ChipView>
  readonly plots: ReadonlyArray<PlotView>
  readonly lastError: string | undefined
}

export interface HolderView {
  readonly age: string
  readonly backend: string
  readonly label: string
  readonly site: string
}

export interface PageView {
  readonly title: string
  readonly service: string
  readonly about: string
  readonly phases: ReadonlyArray<PhaseView>
  readonly tone: Tone
  readonly headline: string
  readonly detail: string
  readonly tiles: ReadonlyArray<TileView>
  /** The times at the edges of every strip. */
  readonly from: number
  readonly to: number
  readonly began: string
  readonly backends: ReadonlyArray<BackendView>
  readonly holders: ReadonlyArray<HolderView>
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

const PHASES: ReadonlyArray<Phase> = ["starting", "ready", "draining", "stopped"]

const phasesOf = (now: Phase | null): ReadonlyArray<PhaseView> => {
  if (now === null) return []
  const reached = PHASES.indexOf(now)
  return PHASES.map((phase, index) => ({
    word: capital(phase),
    state: index < reached ? "past" : index === reached ? "now" : "to come"
  }))
}

/** The end and the length of what is shown. */
interface Times {
  readonly to: number
  readonly span: number
}

/** Seconds of each tone, for those who cannot see the strip. */
const runsLabel = (all: ReadonlyArray<Run>, { span }: Times): string => {
  const seconds = (tone: Tone) =>
    Math.round(all.reduce((sum, run) => run.tone === tone ? sum + run.to - run.from : sum, 0) / 1000)
  const parts = (["failing", "strained"] as const).flatMap((tone) =>
    seconds(tone) > 0 ? [`${tone} for ${Format.many(seconds(tone), "second")}`] : []
  )
  return `In the last ${Format.duration(span)}: ${parts.length === 0 ? "calm" : Format.list(parts)}`
}

/** More than so many signs say nothing more at a glance. */
const SIGNS = 4

const reasonOf = (reasons: ReadonlyArray<string>): string => {
  if (reasons.length === 0) return "Nothing waits, nothing fails."
  const more = reasons.length - SIGNS
  const shown = reasons.slice(0, SIGNS).join("; ")
  return `${capital(shown)}${more > 0 ? `; and ${Format.many(more, "more sign")}` : ""}.`
}

const barOf = ({ closing, checking, idle, max, opening, used }: BackendModel["stats"]["pool"]) => {
  const moving = opening + checking + closing
  return { used, opening: moving, idle, free: Math.max(0, max - used - moving - idle) }
}

const backendView = (label: string, model: BackendModel, times: Times): BackendView => {
  const { samples, stats, verdict } = model
  const { critical, kind, last_error: lastError, pool, profile } = stats
  const bar = barOf(pool)
  const all = runs(samples)
  const chips = chipsOf(stats.policy)
  const health = recentHealth(times.to, stats)
  const latency = health?.status === "healthy" ? [`answers in ${Format.duration(health.latency_ms)}`] : []
  return {
    label,
    kind,
    about: [kind, ...(critical ? ["critical"] : []), ...(profile === null ? [] : [profile]), ...latency].join(" · "),
    tone: verdict.tone,
    word: toneWords[verdict.tone],
    reason: reasonOf(verdict.reasons),
    used: Format.count(pool.used),
    opening: Format.count(bar.opening),
    idle: Format.count(pool.idle),
    max: Format.count(pool.max),
    waiting: Format.count(pool.waiting),
    wait: Format.durationOrNone(stats.times.wait?.p95 ?? null),
    breaker: chips.find(({ name }) => name === "Breaker"),
    bar,
    barLabel: `${pool.used} of ${pool.max} in use, ${bar.opening} opening, ${pool.idle} idle, ${pool.waiting} waiting`,
    queue: pool.waiting / (pool.waiting + Math.max(1, pool.max)),
    slots: pool.max,
    runs: all,
    runsLabel: runsLabel(all, times),
    chips,
    plots: plotsOf(samples, times),
    lastError: lastError === null ? undefined : `${Format.timeOfDay(lastError.at)} ${lastError.message}`
  }
}

const headlineOf = (backends: ReadonlyArray<BackendView>): Pick<PageView, "tone" | "headline" | "detail"> => {
  const tone = worst(backends.map((backend) => backend.tone))
  const unwell = backends.filter((backend) => backend.tone !== "calm")
  const named = backends.filter((backend) => backend.tone === tone).map(({ label }) => label)
  if (backends.length === 0) return { tone, headline: "No backend is registered", detail: "" }
  if (tone === "calm") {
    const headline = backends.length === 1 ? `${named.join("")} is calm` : `All ${backends.length} backends are calm`
    return { tone, headline, detail: "Nothing waits, nothing fails." }
  }
  const subject = named.length > 3 ? `${named.length} of ${backends.length} backends` : Format.list(named)
  return {
    tone,
    headline: `${subject} ${named.length === 1 ? "is" : "are"} ${tone}`,
    detail: unwell.map(({ label, reason }) => `${label}: ${reason.slice(0, -1).split("; ")[0]?.toLowerCase()}`).join(
      " · "
    )
  }
}

const sum = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0)

const tilesOf = (models: ReadonlyArray<BackendModel>): ReadonlyArray<TileView> => {
  const pools = models.map(({ stats }) => stats.pool)
  const lasts = models.flatMap(({ samples }) => samples.at(-1) ?? [])
  const rates = lasts.flatMap(({ rate }) => rate ?? [])
  const failed = sum(lasts.map(({ since }) => failedIn(since)))
  const waiting = sum(pools.map((pool) => pool.waiting))
  const waits = models.flatMap(({ stats }) => stats.times.wait?.p95 ?? [])
  const tile = (name: string, value: string, of = "", tone: Tone = "calm"): TileView => ({ name, value, of, tone })
  return [
    tile(
      "In use",
      Format.count(sum(pools.map(({ used }) => used))),
      `of ${Format.count(sum(pools.map(({ max }) => max)))}`
    ),
    tile("Waiting", Format.count(waiting), "", waiting > 0 ? "strained" : "calm"),
    tile("Borrows", Format.rate(rates.length === 0 ? null : sum(rates)), "a second"),
    tile("Failed", Format.count(failed), "last second", failed > 0 ? "failing" : "calm"),
    tile("Longest wait", Format.durationOrNone(waits.length === 0 ? null : Math.max(...waits)), "p95")
  ]
}

const HOLDERS = 8

const holdersOf = (stats: Stats): ReadonlyArray<HolderView> =>
  Object.entries(stats.backends)
    .flatMap(([backend, { holders }]) => holders.map((holder) => ({ backend, ...holder })))
    .toSorted((a, b) => b.age_ms - a.age_ms)
    .slice(0, HOLDERS)
    .map(({ age_ms: age, backend, label, site }) => ({
      age: Format.duration(age),
      backend,
      label: label ?? "not named",
      site: site ?? ""
    }))

const marks: Record<Tone, string> = { calm: "", strained: "▲ ", failing: "✕ " }

/** Undefined until the service has said something. */
export const viewOf = (model: Model): PageView | undefined => {
  const { backends, stats } = model
  if (stats === undefined) return undefined
  const times = { to: stats.at, span: spanOf(model) }
  const views = [...backends].map(([label, backend]) => backendView(label, backend, times))
  const headline = headlineOf(views)
  return {
    ...headline,
    title: `${marks[headline.tone]}${stats.service} · pools`,
    service: stats.service,
    about: [`up ${Format.duration(stats.uptime_ms)}`, ...(stats.profile === null ? [] : [stats.profile])].join(" · "),
    phases: phasesOf(stats.phase),
    tiles: tilesOf([...backends.values()]),
    from: stats.at - times.span,
    began: `${times.span / 60_000} min ago`,
    to: stats.at,
    backends: views,
    holders: holdersOf(stats)
  }
}

export interface EventFilter {
  readonly trouble: boolean
  /** Of all where it is empty. */
  readonly backend: string
}

const SHOWN_EVENTS = 120

export const eventsOf = (model: Model, { backend, trouble }: EventFilter): ReadonlyArray<Told> =>
  model.told
    .filter((one) => backend === "" || one.backend === backend)
    .filter(({ tone }) => !trouble || tone === "failing" || tone === "strained")
    .slice(0, SHOWN_EVENTS)
