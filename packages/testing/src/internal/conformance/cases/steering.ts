/**
 * What an operator does to a pool: clear it, pause it, end it.
 *
 * @internal
 */
import type { Pool } from "../adapter.ts"
import type { Case } from "../behaviour.ts"
import { type Ending, NotAsked, type Trial } from "../trial.ts"

/** How many closes begin within the call itself. */
const closesWithin = async (t: Trial, size: number): Promise<number> => {
  const pool = await t.warm(size, { max: size, timeout: 60_000, maxWaiting: 5000, dialConcurrency: 64 })
  const before = t.server.closes
  const cleared = pool.clear?.(false)
  const within = t.server.closes - before
  t.watch(() => cleared)
  await t.time.advance(5000)
  return within
}

const clear: Case = {
  number: 20,
  name: "clear is O(1)",
  about: "No connection that was open before is lent again, running work goes on unless it is to be cut, and then it " +
    "fails as revoked; the call itself closes no more of 2,000 connections than of 500.",
  run: async (t) => {
    const pool = await t.warm(5, { max: 5, timeout: 5000 })
    if (pool.clear === undefined) throw new NotAsked("the pool cannot be cleared")
    const use = t.useOf(pool)
    const old = new Set([...t.server.sessions.keys()].map(({ id }) => id))
    const running = t.watch(() => use((connection) => connection.send("WORK 500")))
    await t.time.settle()
    t.watch(() => pool.clear?.(false))
    const lent: Array<number> = []
    for (let n = 0; n < 30; n++) {
      t.work(pool, async (connection) => void lent.push(connection.id))
      await t.time.advance(50)
    }
    t.expect(running.state === "done", "running work did not end well")
    const again = lent.filter((id) => old.has(id)).length
    t.expect(again === 0, `${again} of 30 borrows after it got a connection from before`)
    t.expect(lent.length === 30, `${lent.length} of 30 borrows after it were served`)
    const cut = t.watch(() => use((connection) => connection.send("WORK 50000")))
    await t.time.settle()
    t.watch(() => pool.clear?.(true))
    await t.time.advance(100)
    t.expect(cut.state === "failed", "running work was not cut")
    t.expect(cut.state !== "failed" || t.kindOf(cut.error) === "revoked", `cut work failed as ${t.kindOf(cut.error)}`)
    const [few, many] = [await closesWithin(t, 500), await closesWithin(t, 2000)]
    t.expect(many <= few, `the call closed ${few} of 500 and ${many} of 2,000 connections itself`)
  }
}

const pause: Case = {
  number: 21,
  name: "Pause and resume",
  about: "The server restarts inside a pause, 2 s without a listener: no request whose deadline is 10 s fails. On " +
    "sockets.",
  run: async (t) => {
    const server = await t.onSockets()
    const pool = await t.make({ max: 5, timeout: 10_000, check: { skipWithin: 500, timeout: 1000 } }, server)
    if (pool.pause === undefined || pool.resume === undefined) throw new NotAsked("the pool cannot be paused")
    const requests: Array<Ending<unknown>> = []
    const load = async (millis: number) => {
      for (let at = 0; at < millis; at += 50) {
        for (let n = 0; n < 3; n++) requests.push(t.work(pool, (connection) => connection.send("WORK 20")))
        await t.time.advance(50)
      }
    }
    await load(1000)
    t.watch(() => pool.pause?.())
    await load(200)
    const { used } = pool.stats()
    t.expect(used === 0, `${used} connections lent 200 ms into the pause`)
    await server.setMode("refuses")
    server.kill("reset")
    await load(2000)
    await server.setMode("accepts")
    t.watch(() => pool.resume?.())
    await load(1000)
    await t.time.advance(10_000)
    const failed = requests.filter(({ state }) => state !== "done")
    t.expect(
      failed.length === 0,
      `${failed.length} of ${requests.length} requests failed, the first as ${t.kindOf(failed[0]?.error)}`
    )
  }
}

/** `drain` where there is one, `close` with nothing to bound it otherwise. */
const end = (t: Trial, pool: Pool, deadline: number): Ending<{ readonly cut?: number | undefined } | undefined> =>
  t.watch(async () => {
    if (pool.drain !== undefined) return pool.drain(deadline)
    await pool.close()
    return undefined
  })

const drain: Case = {
  number: 22,
  name: "Drain",
  about:
    "New and waiting borrows fail as closed, work under way finishes, at the deadline of 5 s the rest is cut and " +
    "listed, and 100 ms later no socket is open; closing during a dial leaves none either. On sockets.",
  run: async (t) => {
    const server = await t.onSockets()
    const pool = await t.warm(2, { max: 2, timeout: 60_000 }, server)
    const use = t.useOf(pool)
    const short = t.watch(() => use((connection) => connection.send("WORK 3000")))
    const long = t.watch(() => use((connection) => connection.send("WORK 60000")))
    await t.time.settle()
    const waiter = t.borrow(pool)
    await t.time.settle()
    const draining = end(t, pool, 5000)
    const newcomer = t.borrow(pool)
    await t.time.advance(10)
    const asClosed = (ending: Ending<unknown>, who: string) =>
      t.expect(
        ending.state === "failed" && t.kindOf(ending.error) === "closed",
        ending.state === "failed" ? `${who} failed as ${t.kindOf(ending.error)}` : `${who} was not told`
      )
    asClosed(waiter, "who waited")
    asClosed(newcomer, "a new borrow")
    await t.time.advance(4990)
    t.expect(short.state === "done", "work of 3 s under way did not finish")
    await t.time.advance(100)
    t.expect(long.state === "failed", "work of 60 s was not cut at the deadline")
    t.expect(
      long.state !== "failed" || t.kindOf(long.error) === "revoked",
      `cut work failed as ${t.kindOf(long.error)}`
    )
    t.expect(server.sockets === 0, `${server.sockets} sockets open 100 ms after the deadline`)
    t.expect(draining.value?.cut === 1, "what was cut is not listed")
    await duringDial(t)
  }
}

const duringDial = async (t: Trial) => {
  const server = await t.onSockets()
  server.dialTime = 1000
  const pool = await t.make({ max: 1, timeout: 60_000 }, server)
  t.borrow(pool)
  await t.time.advance(500)
  end(t, pool, 100)
  await t.time.advance(10_000)
  t.expect(server.sockets === 0, "closing during a dial left a socket")
}

export const steering: ReadonlyArray<Case> = [clear, pause, drain]
