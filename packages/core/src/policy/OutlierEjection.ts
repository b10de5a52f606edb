/**
 * Leaves out, for a while, the one of several equals that fails more than the others: a host behind a name, a replica, a
 * region. Whoever chooses among them asks `isEjected` before, and tells with `record` how it went.
 *
 * It compares, and so is blind to what they have in common: where all fail alike none is ejected, and that is for a
 * circuit breaker. It follows Envoy's detection by success rate: once an interval, a key is an outlier whose share of
 * failures is above the mean of all by 1.9 standard deviations or more. It comes back after a time that grows with each
 * ejection, and shrinks again with each interval that it is not one.
 *
 * It is a value of its own and no part of `Policy.make`, since it is the choice that it guards and not the call.
 *
 * ```ts
 * import { OutlierEjection, Outcome } from "@breakwater/core"
 * import { Effect } from "effect"
 *
 * const hosts = ["a", "b", "c", "d", "e"]
 * const ejection = OutlierEjection.make({ interval: "20 millis", minimumCalls: 1 })
 *
 * const program = Effect.gen(function*() {
 *   for (const host of hosts) {
 *     yield* OutlierEjection.record(ejection, host, host === "c" ? Outcome.failure("yes") : Outcome.success)
 *   }
 *   yield* Effect.sleep("30 millis")
 *   return yield* Effect.filter(hosts, (host) => Effect.map(OutlierEjection.isEjected(ejection, host), (is) => !is))
 * })
 *
 * console.log(await Effect.runPromise(program)) // => [ 'a', 'b', 'd', 'e' ]
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { monotonicMillis } from "../internal/ambientDeadline.ts"
import { EventHub } from "../internal/eventHub.ts"
import * as validate from "../internal/validate.ts"
import { Keyed } from "./internal/keyed.ts"
import type * as Outcome from "./Outcome.ts"

const TypeId = "~@breakwater/core/OutlierEjection"

/**
 * When a key is an outlier, and for how long it is left out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How often the keys are compared. Default 10 seconds, as in Envoy. */
  readonly interval?: Duration.Input | undefined
  /** Calls within the interval that a key is judged by, at least. Default 100, as in Envoy. */
  readonly minimumCalls?: number | undefined
  /** Keys with as many calls that there must be. Default 5, as in Envoy: fewer say too little of what is usual. */
  readonly minimumKeys?: number | undefined
  /**
   * The share of failures, from 0 to 1, below which a key is no outlier however well the others do. Default 0.1, a choice
   * of ours: where all others are perfect, one failure in a thousand would be one.
   */
  readonly failureRate?: number | undefined
  /**
   * How long the first ejection lasts; the nth in a row lasts n times as long, and `atMost` at most. Default 30 seconds
   * and 5 minutes, as in Envoy.
   */
  readonly ejectFor?:
    | { readonly first?: Duration.Input | undefined; readonly atMost?: Duration.Input | undefined }
    | undefined
  /** The share of the keys, from 0 to 1, that may be left out at once; one may in any case. Default 0.1, as in Envoy. */
  readonly maxEjected?: number | undefined
}

/**
 * A key was left out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ejected {
  readonly _tag: "Ejected"
  readonly key: string
  /** Its share of failures, and the share from which on it was too many. */
  readonly failureRate: number
  readonly threshold: number
  readonly duration: Duration.Duration
}

/**
 * A key is back.
 *
 * @category models
 * @since 0.1.0
 */
export interface Readmitted {
  readonly _tag: "Readmitted"
  readonly key: string
}

/**
 * What happened to a key.
 *
 * @category models
 * @since 0.1.0
 */
export type OutlierEvent = Ejected | Readmitted

/**
 * How things stand.
 *
 * @category models
 * @since 0.1.0
 */
export interface Snapshot {
  /** Keys known. */
  readonly keys: number
  /** Those that are left out, as of the last call or question. */
  readonly ejected: ReadonlyArray<string>
  /** Ejections so far. */
  readonly ejections: number
}

/**
 * What is known of several keys, shared by all who choose among them.
 *
 * @category models
 * @since 0.1.0
 */
export interface OutlierEjection {
  readonly [TypeId]: typeof TypeId
}

interface Member {
  readonly key: string
  calls: number
  failures: number
  /** Ejections in a row. */
  times: number
  /** Monotonic milliseconds; `undefined` when it is not left out. */
  ejectedUntil: number | undefined
}

/** Keys that are kept, and for how long nobody need ask for them. */
const MAX_KEYS = 1000
const IDLE_MS = 3_600_000

/** Standard deviations above the mean. */
const DEVIATIONS = 1.9

const settingsOf = (options: Options) => {
  const { atMost = "5 minutes", first = "30 seconds" } = options.ejectFor ?? {}
  const firstMillis = validate.boundedMillis("ejectFor.first", first)
  const most = validate.duration("ejectFor.atMost", atMost)
  if (Duration.toMillis(most) < firstMillis) validate.refuse("ejectFor.atMost", most, "at least ejectFor.first")
  return {
    interval: validate.boundedMillis("interval", options.interval ?? "10 seconds"),
    minimumCalls: validate.integer("minimumCalls", options.minimumCalls ?? 100, 1),
    minimumKeys: validate.integer("minimumKeys", options.minimumKeys ?? 5, 2),
    failureRate: validate.share("failureRate", options.failureRate ?? 0.1),
    first: firstMillis,
    atMost: Duration.toMillis(most),
    maxEjected: validate.share("maxEjected", options.maxEjected ?? 0.1)
  }
}

class Members implements OutlierEjection {
  readonly [TypeId] = TypeId
  hub: EventHub<OutlierEvent> | undefined
  private ejections = 0
  private comparedAt: number | undefined
  /** Monotonic milliseconds. */
  private nextReturn = Infinity
  private readonly settings: ReturnType<typeof settingsOf>
  private readonly members = new Keyed<Member>(
    MAX_KEYS,
    IDLE_MS,
    (key) => ({ key, calls: 0, failures: 0, times: 0, ejectedUntil: undefined })
  )

  constructor(options: Options) {
    this.settings = settingsOf(options)
  }

  record(key: string, outcome: Outcome.Outcome, now: number): void {
    if (outcome._tag === "Ignored") return
    this.advance(now)
    const member = this.members.get(key, { now: () => now })
    member.calls++
    if (outcome._tag !== "Success") member.failures++
  }

  isEjected(key: string, now: number): boolean {
    this.advance(now)
    return this.members.peek(key)?.ejectedUntil !== undefined
  }

  get snapshot(): Snapshot {
    const ejected = Array.from(this.members.values()).flatMap((one) => one.ejectedUntil === undefined ? [] : [one.key])
    return { keys: this.members.size, ejected, ejections: this.ejections }
  }

  private advance(now: number): void {
    this.comparedAt ??= now
    if (this.comparedAt + this.settings.interval <= now) {
      this.comparedAt = now
      this.compare(now)
    }
    if (this.nextReturn <= now) this.readmit(now)
  }

  private readmit(now: number): void {
    this.nextReturn = Infinity
    for (const member of this.members.values()) {
      if (member.ejectedUntil === undefined) continue
      if (member.ejectedUntil > now) {
        this.nextReturn = Math.min(this.nextReturn, member.ejectedUntil)
        continue
      }
      member.ejectedUntil = undefined
      // What ended while it was left out was begun before.
      member.calls = member.failures = 0
      this.hub?.publish?.({ _tag: "Readmitted", key: member.key })
    }
  }

  private compare(now: number): void {
    const all = Array.from(this.members.values())
    const judged = all.filter(({ calls, ejectedUntil }) =>
      ejectedUntil === undefined && calls >= this.settings.minimumCalls
    )
    const threshold = this.threshold(judged.map(rateOf))
    const allowed = Math.max(1, Math.floor(this.settings.maxEjected * all.length))
    let left = allowed - all.filter(({ ejectedUntil }) => ejectedUntil !== undefined).length
    for (const member of judged.toSorted((a, b) => rateOf(b) - rateOf(a))) {
      if (rateOf(member) < threshold) member.times = Math.max(0, member.times - 1)
      else if (left-- > 0) this.eject(member, threshold, now)
    }
    for (const member of all) member.calls = member.failures = 0
  }

  private threshold(rates: ReadonlyArray<number>): number {
    if (rates.length < this.settings.minimumKeys) return Infinity
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length
    const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length
    // Equals are no outliers, and the last digit of a sum is no difference.
    if (variance < 1e-12) return Infinity
    return Math.max(this.settings.failureRate, mean + DEVIATIONS * Math.sqrt(variance))
  }

  private eject(member: Member, threshold: number, now: number): void {
    member.times++
    this.ejections++
    const millis = Math.min(this.settings.atMost, member.times * this.settings.first)
    member.ejectedUntil = now + millis
    this.nextReturn = Math.min(this.nextReturn, member.ejectedUntil)
    this.hub?.publish?.({
      _tag: "Ejected",
      key: member.key,
      failureRate: rateOf(member),
      threshold,
      duration: Duration.millis(millis)
    })
  }
}

const rateOf = ({ calls, failures }: Member): number => failures / calls

const membersOf = (ejection: OutlierEjection): Members =>
  // Every one is made by `make`.
  ejection as Members

/**
 * One that knows no key yet; a key is known from its first `record` on. Throws a `RangeError` for options out of range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): OutlierEjection => new Members(options)

/**
 * Tells how a call to a key went. What says nothing about it (`Ignored`) does not count.
 *
 * @category combinators
 * @since 0.1.0
 */
export const record = (ejection: OutlierEjection, key: string, outcome: Outcome.Outcome): Effect.Effect<void> =>
  Effect.clockWith((clock) => Effect.sync(() => membersOf(ejection).record(key, outcome, monotonicMillis(clock))))

/**
 * Whether a key is to be left out now.
 *
 * @category getters
 * @since 0.1.0
 */
export const isEjected = (ejection: OutlierEjection, key: string): Effect.Effect<boolean> =>
  Effect.clockWith((clock) => Effect.sync(() => membersOf(ejection).isEjected(key, monotonicMillis(clock))))

/**
 * Reads the counts, for health and metrics.
 *
 * @category getters
 * @since 0.1.0
 */
export const snapshot = (ejection: OutlierEjection): Snapshot => membersOf(ejection).snapshot

/**
 * Ejections and returns, from the moment of listening on. The stream does not end by itself.
 *
 * @category getters
 * @since 0.1.0
 */
export const events = (ejection: OutlierEjection): Stream.Stream<OutlierEvent> =>
  Stream.unwrap(Effect.map(EventHub.make<OutlierEvent>(), (fresh) => (membersOf(ejection).hub ??= fresh).stream))
