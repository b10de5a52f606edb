/**
 * Addresses of host names, remembered for a time. Connections take turns over the addresses of a name; a name whose
 * addresses could not be reached is asked anew.
 *
 * @internal
 */
import * as Monotonic from "@breakwater/core/Monotonic"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Dns from "node:dns"
import type { LookupFunction } from "node:net"
import type { Address, Settings } from "./settings.ts"

interface Entry {
  readonly addresses: ReadonlyArray<Address>
  /** Monotonic milliseconds. */
  readonly until: number
  turn: number
}

/** A program that follows links must not fill the memory. */
const MAX_ENTRIES = 1000

type Answer = (error: Error | null, addresses: ReadonlyArray<Address>) => void

const notFound = (hostname: string): Error =>
  Object.assign(new Error(`no address for ${hostname}`), { code: "ENOTFOUND", hostname })

export class DnsCache {
  private readonly entries = new Map<string, Entry>()
  private readonly asking = new Map<string, Array<Answer>>()
  private readonly ttl: number
  private readonly clock: Clock.Clock
  private readonly resolve: Settings["resolve"]
  private readonly run: <A, E>(effect: Effect.Effect<A, E>, done: (exit: Exit.Exit<A, E>) => void) => void

  constructor(
    settings: Pick<Settings, "dnsTtl" | "resolve">,
    clock: Clock.Clock,
    run: <A, E>(effect: Effect.Effect<A, E>, done: (exit: Exit.Exit<A, E>) => void) => void
  ) {
    this.ttl = Duration.toMillis(settings.dnsTtl)
    this.resolve = settings.resolve
    this.clock = clock
    this.run = run
  }

  /** As `dns.lookup`, for `net.connect`. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    this.ask(hostname, (error, all) => {
      const family = options.family === "IPv4" ? 4 : options.family === "IPv6" ? 6 : options.family ?? 0
      const fitting = family === 0 ? all : all.filter((one) => one.family === family)
      const [first] = fitting
      if (error !== null || first === undefined) callback(error ?? notFound(hostname), "", 0)
      else if (options.all === true) callback(null, [...fitting])
      else callback(null, first.address, first.family)
    })
  }

  /** Nobody answered there: the next connection asks again. */
  forget(hostname: string): void {
    this.entries.delete(hostname)
  }

  private ask(hostname: string, answer: Answer): void {
    const known = this.entries.get(hostname)
    if (known !== undefined && this.now() < known.until) return answer(null, inTurn(known))
    const others = this.asking.get(hostname)
    if (others !== undefined) return void others.push(answer)
    const waiting = [answer]
    this.asking.set(hostname, waiting)
    this.query(hostname, (error, addresses) => {
      this.asking.delete(hostname)
      const entry = error === null ? this.remember(hostname, addresses) : undefined
      for (const one of waiting) one(error, entry === undefined ? [] : inTurn(entry))
    })
  }

  private query(hostname: string, answer: Answer): void {
    if (this.resolve === undefined) {
      return Dns.lookup(
        hostname,
        { all: true, order: "verbatim" },
        (error, found) =>
          answer(error, (found ?? []).map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 })))
      )
    }
    this.run(this.resolve(hostname), (exit) =>
      exit._tag === "Success"
        ? answer(null, exit.value)
        : answer(Object.assign(notFound(hostname), { cause: exit.cause }), []))
  }

  private remember(hostname: string, addresses: ReadonlyArray<Address>): Entry {
    const entry = { addresses, until: this.now() + this.ttl, turn: 0 }
    this.entries.delete(hostname)
    if (this.ttl > 0 && addresses.length > 0) this.entries.set(hostname, entry)
    if (this.entries.size > MAX_ENTRIES) {
      const [oldest] = this.entries.keys()
      if (oldest !== undefined) this.entries.delete(oldest)
    }
    return entry
  }

  private now(): number {
    return Monotonic.millis(this.clock)
  }
}

const inTurn = (entry: Entry): ReadonlyArray<Address> => {
  const start = entry.turn++ % Math.max(1, entry.addresses.length)
  return [...entry.addresses.slice(start), ...entry.addresses.slice(0, start)]
}
