/**
 * One behaviour tried on one pool: the time, the server, the pool, and what was found.
 *
 * @internal
 */
import * as Seeded from "../../Seeded.ts"
import type { Adapter, BorrowOptions, Connection, Failure, Pool, Server, Setup, Use } from "./adapter.ts"
import { Backend, BackendConnection } from "./backend.ts"
import { listen } from "./tcp.ts"
import type { VirtualTime } from "./virtualTime.ts"

/** The behaviour cannot be asked of this pool. */
export class NotAsked extends Error {}

/** There is no sense in going on. */
export class Failed extends Error {}

/** What became of a promise of the pool. */
export class Ending<A> {
  state: "pending" | "done" | "failed" = "pending"
  value: A | undefined
  error: unknown
  /** Virtual milliseconds at which it ended. */
  at = Infinity
  /** Never rejects. */
  ended: Promise<void> = Promise.resolve()
  readonly startedAt: number

  constructor(startedAt: number) {
    this.startedAt = startedAt
  }

  get took(): number {
    return this.at - this.startedAt
  }
}

/** Enough for a rejection that no timer and no socket is involved in to arrive. */
const MICROTASKS = 64

const DEFAULTS = { min: 0, timeout: 10_000 }

export class Trial {
  readonly time: VirtualTime
  readonly adapter: Adapter
  readonly server: Backend
  readonly random: () => number
  readonly problems: Array<string> = []
  private readonly lent = new Set<Connection>()
  private readonly pools: Array<Pool> = []
  private readonly servers: Array<Backend>

  constructor(time: VirtualTime, adapter: Adapter, server: Backend, seed: number) {
    this.time = time
    this.adapter = adapter
    this.server = server
    this.servers = [server]
    this.random = Seeded.numbers(seed)
  }

  // ---- findings

  /** Notes what is wrong, and goes on: more may be. */
  expect(holds: boolean, otherwise: string): void {
    if (!holds && !this.problems.includes(otherwise)) this.problems.push(otherwise)
  }

  /** Ends the trial where the rest would say nothing. */
  require(holds: boolean, otherwise: string): void {
    if (!holds) throw new Failed(otherwise)
  }

  below(bound: number): number {
    return Math.floor(this.random() * bound)
  }

  accepts(option: "signal" | "priority" | "key"): boolean {
    return this.adapter.accepts?.includes(option) ?? false
  }

  describe(error: unknown): Failure {
    return this.adapter.describe?.(error) ?? { kind: guessKind(error) }
  }

  kindOf(error: unknown): string {
    return this.describe(error).kind ?? `"${textOf(error)}"`
  }

  // ---- the pool

  async make(setup: Omit<Partial<Setup>, "server"> & { readonly max: number }, server = this.server): Promise<Pool> {
    const pool = await this.bounded(this.adapter.make({ ...DEFAULTS, ...setup, server: faceOf(server) }))
    this.pools.push(pool)
    await this.time.settle()
    return pool
  }

  /** A pool whose `count` connections are open and idle. */
  async warm(
    count: number,
    setup: Omit<Partial<Setup>, "server"> & { readonly max: number },
    server = this.server
  ): Promise<Pool> {
    const pool = await this.make(setup, server)
    const borrows = Array.from({ length: count }, () => this.borrow(pool))
    await this.time.advance(count * (server.dialTime + 10) + 5000)
    const lent = borrows.filter(({ state }) => state === "done")
    this.require(lent.length === count, `opened ${lent.length} of ${count} connections to a sound server`)
    for (const { value } of lent) this.release(pool, value!)
    await this.time.settle()
    return pool
  }

  watch<A>(run: () => PromiseLike<A> | A): Ending<A> {
    const ending = new Ending<A>(this.time.now())
    const end = (state: "done" | "failed") => {
      ending.state = state
      ending.at = this.time.now()
      this.time.sign()
    }
    const onValue = (value: A) => {
      ending.value = value
      end("done")
    }
    const onError = (error: unknown) => {
      ending.error = error
      end("failed")
    }
    try {
      ending.ended = Promise.resolve(run()).then(onValue, onError)
    } catch (error) {
      onError(error)
    }
    return ending
  }

  /** The same, for who has to wait for its end whatever it is. */
  async watched<A>(run: () => PromiseLike<A> | A): Promise<Ending<A>> {
    const ending = this.watch(run)
    await ending.ended
    return ending
  }

  async acquire(pool: Pool, options?: BorrowOptions): Promise<Connection> {
    const connection = await pool.acquire(options)
    this.took(connection)
    return connection
  }

  borrow(pool: Pool, options?: BorrowOptions): Ending<Connection> {
    return this.watch(() => this.acquire(pool, options))
  }

  release(pool: Pool, connection: Connection): Ending<unknown> {
    this.lent.delete(connection)
    return this.watch(() => pool.release(connection))
  }

  /** Borrows, works, returns; a connection that failed its work is given back as broken. */
  work<A>(pool: Pool, job: (connection: Connection) => Promise<A>, options?: BorrowOptions): Ending<A> {
    return this.watch(async () => {
      const connection = await this.acquire(pool, options)
      this.time.sign()
      try {
        return await job(connection)
      } catch (error) {
        await pool.invalidate(connection)
        throw error
      } finally {
        // Whether a return is waited for is the pool's affair.
        void this.release(pool, connection)
      }
    })
  }

  /** Borrows, and keeps the connection for a time. */
  hold(pool: Pool, millis: number, options?: BorrowOptions): Ending<void> {
    return this.work(pool, () => this.time.sleep(millis), options)
  }

  /** As the pool's own `use`, or made of `acquire` and `release`. */
  useOf(pool: Pool): Use {
    if (pool.use !== undefined) return this.seen(pool.use)
    const use: Use = async (work, options) => {
      const connection = await this.acquire(pool, options)
      try {
        return await work(connection, use)
      } finally {
        void this.release(pool, connection)
      }
    }
    return use
  }

  /** What is left of this turn of the loop, also for whoever answers in the next tick. */
  async restOfTurn(): Promise<void> {
    for (let n = 0; n < MICROTASKS; n++) await Promise.resolve()
    await new Promise<void>((resolve) => process.nextTick(resolve))
    for (let n = 0; n < MICROTASKS; n++) await Promise.resolve()
  }

  /** A server of the same kind behind a port of the loopback. */
  async onSockets(): Promise<Backend> {
    const server = new Backend(this.time, await listen(this.time))
    this.servers.push(server)
    return server
  }

  /** Moves the time until a promise of the pool has settled, two virtual minutes at most. */
  async bounded<A>(promise: A | PromiseLike<A>): Promise<A> {
    const ending = this.watch(() => promise)
    await this.time.settle()
    for (let waited = 0; ending.state === "pending" && waited < 120_000; waited += 1000) await this.time.advance(1000)
    if (ending.state === "done") return ending.value!
    if (ending.state === "failed") throw ending.error
    throw new Failed("a call of the pool did not end within two minutes")
  }

  /** Whatever is asked of a pool, it lends connections of the server's, each to one at a time. */
  private took(connection: Connection): void {
    own(connection)
    this.expect(!this.lent.has(connection), "it lent one connection to two borrowers at once")
    this.lent.add(connection)
  }

  private seen(use: Use): Use {
    return (work, options) =>
      use(async (connection, within) => {
        this.took(connection)
        try {
          return await work(connection, this.seen(within))
        } finally {
          this.lent.delete(connection)
        }
      }, options)
  }

  /** Ends what was made, without waiting for what never ends. */
  async end(): Promise<void> {
    for (const pool of this.pools) this.watch(() => pool.close())
    await Promise.all(this.servers.map((server) => server.end()))
  }
}

/** What an adapter sees of the server: nothing to steer it by. */
const faceOf = (server: Backend): Server => ({
  open: (signal) => server.dial(signal),
  close: (connection) => server.close(own(connection)),
  check: (connection) => server.ping(own(connection)),
  reset: (connection) => server.reset(own(connection))
})

const own = (connection: Connection): BackendConnection => {
  if (connection instanceof BackendConnection) return connection
  throw new TypeError("The pool lent or gave back something that is no connection of the server's")
}

export const textOf = (error: unknown): string => {
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}

/** For a report; what never happened has no time. */
export const inMillis = (millis: number): string => Number.isFinite(millis) ? `${millis} ms` : "for ever"

const kinds: ReadonlyArray<readonly [NonNullable<Failure["kind"]>, RegExp]> = [
  ["timeout", /time(d)?\s?-?out/i],
  ["full", /full|exceeded|too many|max(imum)?\w* (waiting|queue|clients)/i],
  ["closed", /clos(ed|ing)|drain|destroy|ended|end on|abort|shut/i]
]

/** From what an error is called and says. */
export const guessKind = (error: unknown): Failure["kind"] => {
  const text = error instanceof Error ? `${error.name} ${error.message}` : String(error)
  return kinds.find(([, pattern]) => pattern.test(text))?.[0]
}
