/** Numbers in words that stay short and do not dance. */

const NONE = "–"

/** Milliseconds with the unit that suits: `0.4 ms`, `1.2 s`, `2 min 5 s`, `3 h 12 min`, `2 d 4 h`. */
export const duration = (millis: number): string => {
  if (millis < 1) return millis === 0 ? "0 ms" : `${Math.max(0.1, Math.round(millis * 10) / 10)} ms`
  if (millis < 999.5) return `${millis < 10 ? Math.round(millis * 10) / 10 : Math.round(millis)} ms`
  if (millis < 59_950) return `${(Math.round(millis / 100) / 10).toFixed(1)} s`
  const seconds = Math.round(millis / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  const hours = Math.floor(minutes / 60)
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

export const durationOrNone = (millis: number | null): string => millis === null ? NONE : duration(millis)

/** A rate with one digit where it is small. */
export const rate = (perSecond: number | null): string =>
  perSecond === null ? NONE : perSecond < 10 ? String(Math.round(perSecond * 10) / 10) : count(Math.round(perSecond))

/** Thousands apart: `12 345`. */
export const count = (value: number): string => String(value).replaceAll(/\B(?=(\d{3})+$)/g, "\u202f")

/** `1 call`, `3 calls`. */
export const many = (value: number, one: string, more = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : more}`

/** `one`, `one and two`, `one, two and three`. */
export const list = (words: ReadonlyArray<string>): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`

/** `RetryScheduled` as `Retry scheduled`. */
export const words = (camel: string): string =>
  camel.replaceAll(/[_-]/g, " ").replaceAll(
    /([a-z0-9])([A-Z])/g,
    (_, a: string, b: string) => `${a} ${b.toLowerCase()}`
  )

const two = (value: number) => String(value).padStart(2, "0")

/** The time of day where the reader is. */
export const timeOfDay = (at: number): string => {
  const date = new Date(at)
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}
