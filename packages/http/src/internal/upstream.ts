/**
 * Several servers that are equals, and the choice among them: of two at random the one with less to do (M. Mitzenmacher,
 * "The Power of Two Choices in Randomized Load Balancing", 2001), those that fail more than the others left out.
 *
 * Requests to the first one, which names them all, go to any of them; those to another one's own URL go there.
 *
 * @internal
 */
import * as OutlierEjection from "@breakwater/core/OutlierEjection"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as HttpOutcome from "../HttpOutcome.ts"
import { type Settings, type UpstreamPolicy, upstreamPolicyOf } from "./settings.ts"
import type { Base } from "./url.ts"

/** What a server has to do now. */
export type LoadOf = (origin: string) => number

export class Upstream {
  readonly policy: UpstreamPolicy
  private readonly ejection: OutlierEjection.OutlierEjection | undefined
  private readonly bases: ReadonlyMap<string, Base>
  private readonly first: Base
  private readonly loadOf: LoadOf

  constructor(settings: Settings, first: Base, loadOf: LoadOf) {
    const { ejection } = settings
    this.policy = upstreamPolicyOf(settings)
    this.ejection = ejection === false ? undefined : OutlierEjection.make(ejection)
    this.bases = new Map(settings.hosts.map((base) => [base.origin, base]))
    this.first = first
    this.loadOf = loadOf
  }

  get size(): number {
    return this.bases.size
  }

  has(origin: string): boolean {
    return this.bases.has(origin)
  }

  /** The URL where a server has what `url` names. */
  at(origin: string, url: URL): URL {
    const base = this.bases.get(origin)
    return base === undefined || !this.isCommon(url) ? url : new URL(base.href + url.href.slice(this.first.href.length))
  }

  /** What `at` makes of it, undone: any of the servers will do. */
  common(url: URL): URL {
    const base = this.bases.get(url.origin)
    return base !== undefined && url.href.startsWith(base.href)
      ? new URL(this.first.href + url.href.slice(base.href.length))
      : url
  }

  /** Where to send a request for `url`, rather not to those that were `tried`. */
  choose(url: URL, tried: ReadonlySet<string>): Effect.Effect<string> {
    return this.isCommon(url)
      ? Effect.flatMap(this.candidates(tried), (from) => this.lessBusy(from))
      : Effect.succeed(url.origin)
  }

  /** So many of them, whoever is in use first. */
  sample(count: number): Effect.Effect<ReadonlyArray<Base>> {
    return Effect.map(
      Effect.flatMap(this.candidates(new Set()), Random.shuffle),
      (origins) => Array.from(origins).slice(0, count).flatMap((origin) => this.bases.get(origin) ?? [])
    )
  }

  record(origin: string, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return this.ejection === undefined
      ? Effect.void
      : OutlierEjection.record(this.ejection, origin, HttpOutcome.fromExit(exit))
  }

  get ejections(): Stream.Stream<OutlierEjection.OutlierEvent> {
    return this.ejection === undefined ? Stream.never : OutlierEjection.events(this.ejection)
  }

  isEjected(origin: string): boolean {
    return this.ejection !== undefined && OutlierEjection.snapshot(this.ejection).ejected.includes(origin)
  }

  /** Whether any of the servers will do. */
  isCommon(url: URL): boolean {
    return url.href.startsWith(this.first.href)
  }

  /** A server that is left out is better than none, and one that was tried than no other. */
  private candidates(tried: ReadonlySet<string>): Effect.Effect<ReadonlyArray<string>> {
    const { bases, ejection } = this
    return Effect.suspend(() => {
      const all = Array.from(bases.keys())
      const untried = all.filter((origin) => !tried.has(origin))
      const left = untried.length === 0 ? all : untried
      if (ejection === undefined) return Effect.succeed(left)
      const fit = Effect.filter(left, (origin) => Effect.map(OutlierEjection.isEjected(ejection, origin), (is) => !is))
      return Effect.map(fit, (origins) => origins.length === 0 ? left : origins)
    })
  }

  private lessBusy(origins: ReadonlyArray<string>): Effect.Effect<string> {
    return Effect.map(Effect.zip(Random.next, Random.next), ([one, another]) => {
      const a = Math.floor(one * origins.length)
      // Not the same one again.
      const b = (a + 1 + Math.floor(another * (origins.length - 1))) % origins.length
      const first = origins[a] ?? this.first.origin
      const second = origins[b] ?? first
      return this.loadOf(second) < this.loadOf(first) ? second : first
    })
  }
}
