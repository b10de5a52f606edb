/** Whether what is shown is of now: how the connection is, and how old its last word. */
import { many, timeOfDay } from "./format.ts"
import type { Phase } from "./wire.ts"

export type Link = "connecting" | "live" | "lost" | "refused"

export interface Known {
  readonly link: Link
  /** Milliseconds since the last word; undefined before the first. */
  readonly age: number | undefined
  /** The time of what is shown, when the reader has stopped it there. */
  readonly pausedAt: number | undefined
  readonly phase: Phase | null
}

export interface StatusView {
  readonly state: "waiting" | "live" | "lost" | "paused"
  readonly word: string
  /** What is shown is not of now. */
  readonly old: boolean
  /** Undefined where there is nothing to say. */
  readonly banner: string | undefined
}

/** Without a word for longer than this, in milliseconds, what is shown is called old: there is one every second. */
export const STALE_AFTER = 3_500

/** In steps, as screen readers hear of each. */
const since = (age: number): string => {
  if (age < 10_000) return "a few seconds"
  return age < 60_000 ? "less than a minute" : many(Math.floor(age / 60_000), "minute")
}

const WORDS = { connecting: "Connecting", lost: "Reconnecting", refused: "Not allowed", live: "Silent" } as const

const why = (link: Link, phase: Phase | null): string => {
  if (phase === "draining" || phase === "stopped") return "The process was ending, and has said nothing since"
  return link === "live" ? "The service says nothing" : "The connection to the service is lost"
}

export const statusOf = ({ age, link, pausedAt, phase }: Known): StatusView => {
  if (pausedAt !== undefined) {
    return {
      state: "paused",
      word: "Paused",
      old: true,
      banner: `Paused: this is how it was at ${timeOfDay(pausedAt)}.`
    }
  }
  if (age === undefined || link === "refused") {
    const state = link === "lost" || link === "refused" ? "lost" : "waiting"
    const banner = link === "lost" ? "The service cannot be reached; trying again." : undefined
    return { state, word: link === "live" ? "Connected" : WORDS[link], old: false, banner }
  }
  if (link === "live" && age <= STALE_AFTER) return { state: "live", word: "Live", old: false, banner: undefined }
  const banner = `${why(link, phase)}. What you see is old by ${since(age)}; trying again.`
  return { state: "lost", word: WORDS[link], old: true, banner }
}
