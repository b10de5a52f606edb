/** All that the page knows: what the service said last, and the last minutes of it. */
import { tell, type Told } from "./happenings.ts"
import { between, type Sample, sampleOf } from "./sample.ts"
import { LOOK_BACK, type Verdict, verdictOf } from "./verdict.ts"
import type { BackendStats, Happening, Stats } from "./wire.ts"

/** The span of every plot, in milliseconds. */
export const SPAN = 300_000

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
  /** Events that came too fast for the service to tell. */
  readonly dropped: number
}

export const empty: Model = { stats: undefined, backends: new Map(), told: [], dropped: 0 }

const backendModel = (at: number, now: BackendStats, old: BackendModel | undefined): BackendModel => {
  const last = old?.samples.at(-1)
  const before = old === undefined || last === undefined ? undefined : { at: last.at, stats: old.stats }
  const recent = (old?.samples ?? []).filter((sample) => sample.at > at - LOOK_BACK * 1000)
  const since = before === undefined ? {} : between(before.stats, now)
  const verdict = verdictOf(at, now, [...recent.slice(1 - LOOK_BACK), { since }])
  const kept = (old?.samples ?? []).filter((sample) => sample.at > at - SPAN && sample.at < at)
  return { stats: now, verdict, samples: [...kept, sampleOf(at, now, before, verdict.tone)] }
}

/** Takes the word of another second. */
export const withStats = (model: Model, stats: Stats): Model => ({
  ...model,
  stats,
  backends: new Map(
    Object.entries(stats.backends).map(([label, now]) =>
      [label, backendModel(stats.at, now, model.backends.get(label))] as const
    )
  )
})

/** Takes what happened since. */
export const withHappenings = (model: Model, happenings: ReadonlyArray<Happening>, dropped: number): Model => ({
  ...model,
  told: tell(model.told, happenings),
  dropped: model.dropped + dropped
})
