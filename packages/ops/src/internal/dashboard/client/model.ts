/** All that the page knows: what the service said last, and the last minutes of it. */
import { tell, type Told } from "./happenings.ts"
import { between, type Sample, sampleOf } from "./sample.ts"
import { type Loss, lossOf } from "./tones.ts"
import { LOOK_BACK, type Verdict, verdictOf } from "./verdict.ts"
import type { BackendStats, Happening, Stats } from "./wire.ts"

/** What is kept, in milliseconds, and the longest span of the plots. */
export const SPAN = 300_000

/** What plots show while there is less: a page that was just opened should not be empty for minutes. */
const SPANS = [60_000, 120_000, SPAN]

/** The span of every plot: the shortest that holds all that was heard. */
export const spanOf = ({ backends, stats }: Model): number => {
  const oldest = Math.min(...[...backends.values()].flatMap(({ samples }) => samples[0]?.at ?? []))
  return SPANS.find((span) => stats !== undefined && stats.at - oldest <= span) ?? SPAN
}

export interface BackendModel {
  readonly stats: BackendStats
  readonly verdict: Verdict
  /** The oldest first. */
  readonly samples: ReadonlyArray<Sample>
}

export interface Model {
  readonly stats: Stats | undefined
  readonly backends: ReadonlyMap<string, BackendModel>
  readonly told: ReadonlyArray<Told>
  /** Connections and dials lost in the last seconds. */
  readonly losses: ReadonlyArray<{ readonly at: number; readonly backend: string; readonly loss: Loss }>
  /** Events that came too fast for the service to tell. */
  readonly dropped: number
}

export const empty: Model = { stats: undefined, backends: new Map(), told: [], losses: [], dropped: 0 }

const backendModel = (
  at: number,
  now: BackendStats,
  old: BackendModel | undefined,
  losses: ReadonlyArray<Loss>
): BackendModel => {
  const last = old?.samples.at(-1)
  const before = old === undefined || last === undefined ? undefined : { at: last.at, stats: old.stats }
  const recent = (old?.samples ?? []).filter((sample) => sample.at > at - LOOK_BACK * 1000)
  const since = before === undefined ? {} : between(before.stats, now)
  const verdict = verdictOf({ at, stats: now, recent: [...recent, { since }], losses })
  const kept = (old?.samples ?? []).filter((sample) => sample.at > at - SPAN && sample.at < at)
  return { stats: now, verdict, samples: [...kept, sampleOf(at, now, before, verdict.tone)] }
}

/** Takes the word of another second. */
export const withStats = (model: Model, stats: Stats): Model => {
  const losses = model.losses.filter(({ at }) => at > stats.at - LOOK_BACK * 1000)
  const backends = Object.entries(stats.backends).map(([label, now]) => {
    const lost = losses.filter(({ backend }) => backend === label).map(({ loss }) => loss)
    return [label, backendModel(stats.at, now, model.backends.get(label), lost)] as const
  })
  return { ...model, stats, losses, backends: new Map(backends) }
}

/** Takes what happened since. */
export const withHappenings = (model: Model, happenings: ReadonlyArray<Happening>, dropped: number): Model => {
  const losses = happenings.flatMap((happening) => {
    const { at, backend } = happening
    const loss = lossOf(happening)
    return loss === undefined ? [] : [{ at, backend, loss }]
  })
  return {
    ...model,
    told: tell(model.told, happenings),
    losses: [...model.losses, ...losses],
    dropped: model.dropped + dropped
  }
}
