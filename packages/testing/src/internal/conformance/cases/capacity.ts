/**
 * How many connections there are: never too many, never opened all at once, fewer when fewer are needed.
 *
 * @internal
 */
import type { Pool } from "../adapter.ts"
import type { Backend } from "../backend.ts"
import type { Case } from "../behaviour.ts"
import { NotAsked, type Trial } from "../trial.ts"

/** What the cap is at this moment: a smaller maximum holds as soon as what is lent beyond it has come back. */
class Cap {
  most: number
  private max: number
  private readonly server: Backend

  constructor(max: number, server: Backend) {
    this.max = max
    this.most = max
    this.server = server
  }

  /** To be told before the pool is. */
  resized(max: number): void {
    this.max = max
    this.most = Math.max(max, this.server.sockets)
  }

  watch(onBreach: (sockets: number, most: number) => void): void {
    this.server.onChange = () => {
      const { sockets } = this.server
      if (sockets > this.most) onBreach(sockets, this.most)
      this.most = Math.max(this.max, Math.min(this.most, sockets))
    }
  }
}

const invalidating = (t: Trial, pool: Pool, millis: number) =>
  t.watch(async () => {
    const connection = await t.acquire(pool)
    await t.time.sleep(millis)
    await pool.invalidate(connection)
    void t.release(pool, connection)
  })

/** What a pool may meet, at random; ends early once the cap is broken. */
const storm = async (t: Trial, server: Backend, steps: number): Promise<void> => {
  const max = 6
  server.dialTime = 10
  server.closeTime = 5
  const pool = await t.make(
    { max, min: 1, timeout: 300, dialTimeout: 200, lifetime: 2000, dialConcurrency: 4, failFast: false },
    server
  )
  const cap = new Cap(max, server)
  cap.watch((sockets, most) => t.expect(false, `${most} connections allowed, ${sockets} counted at the server at once`))
  const operations: ReadonlyArray<() => unknown> = [
    () => t.hold(pool, t.below(60)),
    () => t.hold(pool, t.below(60)),
    () => invalidating(t, pool, t.below(30)),
    () => t.time.advance(t.below(40)),
    () => t.below(10) === 0 && server.kill("reset"),
    () => t.below(10) === 0 && pool.clear?.(t.below(2) === 0),
    () => {
      if (pool.resize === undefined || t.below(20) > 0) return
      const next = 3 + t.below(max - 2)
      cap.resized(next)
      pool.resize({ min: 1, max: next })
    }
  ]
  for (let step = 0; step < steps && t.problems.length === 0; step++) {
    await operations[t.below(operations.length)]!()
  }
  await t.time.advance(2000)
  t.expect(server.dials > max, "nothing was dialled again in all the time: the pool no longer serves")
}

const hardCap: Case = {
  number: 1,
  name: "Hard cap",
  about: "Connections that are open, being opened or being closed never exceed the maximum, through 10,000 random " +
    "operations: borrow, invalidate, lifetime, death, clear, resize.",
  run: async (t) => {
    await storm(t, t.server, 10_000)
    if (t.problems.length > 0) return
    await storm(t, await t.onSockets(), 300)
  }
}

const dialLimit: Case = {
  number: 9,
  name: "Dial limit",
  about:
    "Two dials allowed at once, 40 callers: never more than two run, neither at a cold start nor after an outage, " +
    "and all are served.",
  run: async (t) => {
    t.server.dialTime = 50
    const pool = await t.make({ max: 20, timeout: 60_000, dialConcurrency: 2, failFast: false })
    const cold = Array.from({ length: 40 }, () => t.hold(pool, 30))
    await t.time.advance(5000)
    t.expect(t.server.peakDialling <= 2, `${t.server.peakDialling} dials at once at a cold start`)
    t.expect(cold.every(({ state }) => state === "done"), "not every caller was served at a cold start")
    t.server.kill("reset")
    await t.server.setMode("refuses")
    t.server.peakDialling = 0
    Array.from({ length: 40 }, () => t.hold(pool, 30))
    await t.time.advance(3000)
    await t.server.setMode("accepts")
    const after = Array.from({ length: 40 }, () => t.hold(pool, 30))
    await t.time.advance(5000)
    t.expect(t.server.peakDialling <= 2, `${t.server.peakDialling} dials at once after an outage`)
    t.expect(after.every(({ state }) => state === "done"), "not every caller was served after an outage")
  }
}

const resize: Case = {
  number: 23,
  name: "Resize",
  about:
    "From 10 to 3 to 20 under load: no borrow fails, the cap holds at every moment, those who wait are served in " +
    "the turn of the growth.",
  run: async (t) => {
    const pool = await t.make({ max: 10, timeout: 10_000 })
    if (pool.resize === undefined) throw new NotAsked("the pool cannot be resized")
    const cap = new Cap(10, t.server)
    cap.watch((sockets, most) => t.expect(false, `${sockets} connections where ${most} were allowed`))
    const borrows: Array<{ readonly state: string }> = []
    const load = async (millis: number, callers: number) => {
      for (let at = 0; at < millis; at += 10) {
        for (let n = 0; n < callers; n++) borrows.push(t.hold(pool, 20))
        await t.time.advance(10)
      }
    }
    await load(200, 4)
    cap.resized(3)
    await pool.resize({ min: 0, max: 3 })
    await load(300, 4)
    t.expect(t.server.sockets <= 3, `${t.server.sockets} connections 300 ms after the change to 3`)
    await t.time.advance(5000)
    for (let n = 0; n < 30; n++) borrows.push(t.hold(pool, 20))
    await t.time.settle()
    cap.resized(20)
    await pool.resize({ min: 0, max: 20 })
    await t.time.settle()
    const { used } = pool.stats()
    t.expect(used === 20, `${used} of 30 borrows held a connection in the turn of the growth to 20`)
    await t.time.advance(10_000)
    const failed = borrows.filter(({ state }) => state !== "done").length
    t.expect(failed === 0, `${failed} of ${borrows.length} borrows were not served`)
  }
}

const overflow: Case = {
  number: 26,
  name: "Overflow",
  about: "With 5 to keep and 15 at most, connections 6 to 15 come under load and close on return when nobody waits: " +
    "5, 15, 5 at the server.",
  run: async (t) => {
    const pool = await t.make({ max: 15, keep: 5, timeout: 10_000, dialConcurrency: 15 })
    const count = async (callers: number, expected: number, when: string) => {
      for (let n = 0; n < callers; n++) t.hold(pool, 100)
      await t.time.advance(callers === 0 ? 300 : 50)
      t.expect(t.server.open === expected, `${t.server.open} connections ${when}, expected ${expected}`)
    }
    await count(5, 5, "for 5 callers")
    await t.time.advance(200)
    await count(30, 15, "for 30 callers")
    const before = t.server.closes
    await t.time.advance(60)
    t.expect(t.server.closes === before, `${t.server.closes - before} connections closed while callers waited`)
    await count(0, 5, "when all had come back")
  }
}

export const capacity: ReadonlyArray<Case> = [hardCap, dialLimit, resize, overflow]
