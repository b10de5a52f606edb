/** Events in words, and the same ones told once. */
import { duration, words } from "./format.ts"
import { textOf, type Tone, toneOf } from "./tones.ts"
import type { Happening } from "./wire.ts"

/** An event of which there may have been many. */
export interface Told {
  /** Grows with each, so that a view can tell them apart. */
  readonly id: number
  /** When the first of them happened, and the last. */
  readonly at: number
  readonly until: number
  readonly backend: string
  readonly title: string
  readonly detail: string
  readonly tone: Tone
  readonly times: number
}

const HIDDEN = new Set(["at", "backend", "kind", "tag", "policy", "fiber", "elapsed_ms", "site"])

/** Fields whose value says enough. */
const BARE = new Set(["reason", "why", "error", "message", "cause", "operation", "fault", "failure", "label", "key"])

const MAXIMUM_LENGTH = 300

/** One line: an error may bring its whole stack. */
const shorten = (text: string): string => {
  const line = text.slice(0, MAXIMUM_LENGTH * 2).replaceAll(/\s+/g, " ").trim()
  return line.length > MAXIMUM_LENGTH ? `${line.slice(0, MAXIMUM_LENGTH - 1)}…` : line
}

const valueOf = (name: string, value: unknown): string => {
  if (name.endsWith("_ms") && typeof value === "number") return duration(value)
  if (name === "reason" || name === "why") return words(textOf(value)).toLowerCase()
  if (typeof value === "object" && value !== null) return detailOf(value)
  return shorten(textOf(value))
}

/** `{ reason: "Idle", retry_in_ms: 200 }` as `idle · retry in 200 ms`. */
const detailOf = (fields: object): string =>
  Object.entries(fields).flatMap(([name, value]) => {
    if (HIDDEN.has(name) || value === null || value === undefined || value === "") return []
    const text = valueOf(name, value)
    if (text === "") return []
    return [
      BARE.has(name) || typeof value === "object" ? text : `${words(name.replace(/_ms$/, "")).toLowerCase()} ${text}`
    ]
  }).join(" · ")

/** What an event says, beside its title. Some fields say more together than one by one. */
export const describe = ({ attempt, from, of, to, ...others }: Happening): string => {
  const pairs = [
    ...(from === undefined || to === undefined ? [] : [`${textOf(from)} → ${textOf(to)}`]),
    ...(attempt === undefined || of === undefined ? [] : [`attempt ${textOf(attempt)} of ${textOf(of)}`])
  ]
  const detail = detailOf(of === undefined ? { attempt, ...others } : others)
  return [...pairs, ...(detail === "" ? [] : [detail])].join(" · ")
}

/** Times that differ from one to the next are no reason to tell an event twice. */
const alike = (text: string) => text.replaceAll(/\d[\d.\s]*/g, "#")

/** In milliseconds: from one to the next that is told with it, and from the first to the last. */
const TOGETHER_WITHIN = 5_000
const TOGETHER_FOR = 20_000
const SEARCHED = 24
const KEPT = 400

/** Adds what happened, the newest first; what is like one of the last seconds is counted with it. */
export const tell = (
  told: ReadonlyArray<Told>,
  happenings: ReadonlyArray<Happening>
): ReadonlyArray<Told> => {
  const all = [...told]
  let id = all.reduce((highest, one) => Math.max(highest, one.id), 0)
  for (const happening of happenings.toSorted((a, b) => a.at - b.at)) {
    const { at, backend, tag } = happening
    const tone = toneOf(happening)
    const next = { at, until: at, backend, title: words(tag), detail: describe(happening), tone }
    const like = all.findIndex((one, index) =>
      index < SEARCHED && one.backend === backend && one.title === next.title &&
      alike(one.detail) === alike(next.detail) && at - one.until < TOGETHER_WITHIN && at - one.at < TOGETHER_FOR
    )
    const before = all[like]
    if (before === undefined) all.unshift({ ...next, id: ++id, times: 1 })
    else all[like] = { ...next, id: before.id, at: before.at, times: before.times + 1 }
  }
  return all.slice(0, KEPT)
}
