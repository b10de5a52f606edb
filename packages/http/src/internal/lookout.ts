/**
 * Looks for a server that could not be reached, for as long as its circuit is open: once it takes connections again the
 * next request tries it, and does not wait until the circuit's time is over.
 *
 * @internal
 */
import * as CircuitBreaker from "@breakwater/core/CircuitBreaker"
import * as Monotonic from "@breakwater/core/Monotonic"
import * as Policy from "@breakwater/core/Policy"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import type { Sockets } from "./connection.ts"
import type { DnsCache } from "./dns.ts"
import type { OriginPolicy, Settings } from "./settings.ts"

/** How much of an outage the return of its server may go unnoticed, within bounds of milliseconds. Choices of ours. */
const SHARE = 1 / 50
const SHORTEST = 50
const LONGEST = 60_000

const portOf = ({ port, protocol }: URL): number => port === "" ? protocol === "https:" ? 443 : 80 : Number(port)

/** Whether anybody takes a connection there, which is closed at once. */
const accepts = (url: URL, { connectTimeout }: Settings, { lookup }: DnsCache): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
    const socket = Net.connect({ host, port: portOf(url), lookup })
    const end = (answer: boolean) => {
      socket.destroy()
      resume(Effect.succeed(answer))
    }
    socket.once("connect", () => end(true))
    // Also after the first: another one would end the process.
    socket.on("error", () => end(false))
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeoutOrElse({ duration: connectTimeout, orElse: () => Effect.succeed(false) }))

interface Parts {
  readonly settings: Settings
  readonly sockets: Sockets
  readonly dns: DnsCache
}

const isOpen = (policy: OriginPolicy): boolean => {
  const { circuit } = Policy.snapshot(policy)
  return circuit?.state === "open" && circuit.mode === "automatic"
}

export interface Lookout {
  /**
   * What to run whenever a connection to the origin could not be opened. The circuit hears of that failure a moment later;
   * one that does not open by it, or is closed, ends the search.
   */
  readonly search: Effect.Effect<void>
  /** A connection to it was opened: what follows is another outage. */
  readonly reached: () => void
}

/** `undefined` where there is no circuit. */
export const make = (origin: string, policy: OriginPolicy, parts: Parts): Lookout | undefined => {
  if (Policy.snapshot(policy).circuit === undefined) return undefined
  const { dns, settings, sockets } = parts
  const url = new URL(origin)
  let isLooking = false
  let since: number | undefined
  const look = sockets.beside(Effect.tap(accepts(url, settings, dns), (found) =>
    Effect.sync(() => {
      if (!found) dns.forget(url.hostname)
    })))
  const search = Effect.gen(function*() {
    const clock = yield* Clock.Clock
    if (Policy.snapshot(policy).circuit?.state === "closed") since = undefined
    for (;;) {
      const now = Monotonic.millis(clock)
      since ??= now
      yield* Effect.sleep(Math.min(Math.max((now - since) * SHARE, SHORTEST), LONGEST))
      if (!isOpen(policy)) return
      if (yield* look) return yield* CircuitBreaker.probe(policy)
    }
  })
  return {
    search: Effect.suspend(() => {
      if (isLooking) return Effect.void
      isLooking = true
      return Effect.ensuring(
        search,
        Effect.sync(() => {
          isLooking = false
        })
      )
    }),
    reached: () => void (since = undefined)
  }
}
