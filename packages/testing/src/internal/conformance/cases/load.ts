/**
 * What a pool does, and says, under more load than it can bear.
 *
 * @internal
 */
import type { Pool } from "../adapter.ts"
import type { Case } from "../behaviour.ts"
import { type Ending, inMillis, type Trial } from "../trial.ts"

const SIZE = 4
const HOLD = 20
/** Requests a second that the connections can serve. */
const CAPACITY = (SIZE * 1000) / HOLD
const TARGET = 50
const TIMEOUT = 1000

interface Request {
  readonly key: string | undefined
  readonly cameAt: number
  servedAt: number
}

/** Requests that come at a steady rate, whatever becomes of those before. */
const offer = async (
  t: Trial,
  pool: Pool,
  millis: number,
  rates: ReadonlyArray<{ readonly key?: string; readonly perSecond: number }>
): Promise<Array<Request>> => {
  const requests: Array<Request> = []
  const owed = rates.map(() => 0)
  for (let at = 0; at < millis; at += 5) {
    rates.forEach(({ key, perSecond }, n) => {
      owed[n]! += (perSecond * 5) / 1000
      for (; owed[n]! >= t.random() + 0.5; owed[n]! -= 1) {
        const request: Request = { key, cameAt: t.time.now(), servedAt: Infinity }
        requests.push(request)
        t.work(pool, () => {
          request.servedAt = t.time.now()
          return t.time.sleep(HOLD)
        }, { key })
      }
    })
    await t.time.advance(5)
  }
  return requests
}

const servedIn = (requests: ReadonlyArray<Request>, from: number, to: number) =>
  requests.filter(({ servedAt }) => servedAt >= from && servedAt < to)

const overload: Case = {
  number: 24,
  name: "Overload",
  about:
    `CoDel with a target of ${TARGET} ms, deadline ${TIMEOUT} ms, twice the capacity: 99 % of those served waited ` +
    `at most ${2 * TARGET} ms, and at least 90 % of the capacity is served; two keys that want 10:1, both above half ` +
    "the capacity, get 50 % ± 10 each, and the share of an idle key goes to the other.",
  run: async (t) => {
    const codel = { target: TARGET, interval: 100 }
    const pool = await t.warm(SIZE, { max: SIZE, timeout: TIMEOUT, maxWaiting: 10_000, codel })
    const from = t.time.now() + 2000
    const requests = await offer(t, pool, 20_000, [{ perSecond: 2 * CAPACITY }])
    const served = servedIn(requests, from, from + 18_000)
    const waits = served.map(({ cameAt, servedAt }) => servedAt - cameAt).toSorted((a, b) => a - b)
    const p99 = waits[Math.ceil(waits.length * 0.99) - 1] ?? Infinity
    const share = Math.round((100 * served.length) / (CAPACITY * 18))
    t.expect(p99 <= 2 * TARGET, `99 % of those served had waited up to ${inMillis(p99)}`)
    t.expect(share >= 90, `${share} % of the capacity was served`)
    await t.time.advance(2000)
    if (!t.accepts("key")) t.expect(false, "borrows have no key to share by")
    else await twoKeys(t, codel)
  }
}

const twoKeys = async (t: Trial, codel: { readonly target: number; readonly interval: number }) => {
  const pool = await t.warm(SIZE, { max: SIZE, timeout: TIMEOUT, maxWaiting: 10_000, codel })
  const from = t.time.now()
  const demand = [{ key: "a", perSecond: 6 * CAPACITY }, { key: "b", perSecond: 0.6 * CAPACITY }]
  const requests = await offer(t, pool, 10_000, demand)
  const served = servedIn(requests, from + 2000, from + 10_000)
  const ofB = Math.round((100 * served.filter(({ key }) => key === "b").length) / served.length)
  t.expect(ofB >= 40 && ofB <= 60, `the smaller of two keys got ${ofB} % of what was served`)
  const alone = await offer(t, pool, 4000, demand.slice(0, 1))
  const share = Math.round((100 * servedIn(alone, from + 11_000, from + 14_000).length) / (CAPACITY * 3))
  t.expect(share >= 90, `a key that was left alone got ${share} % of the capacity`)
}

const numbers: Case = {
  number: 25,
  name: "Numbers agree",
  about:
    "After each of 2,000 random steps the pool's numbers are the truth as server and callers know it; every borrow " +
    "that began is waiting or counted once by how it ended; metrics and events say the same.",
  run: async (t) => {
    t.server.dialTime = 10
    const pool = await t.make({ max: 6, timeout: 100, maxWaiting: 10, failFast: false, dialConcurrency: 3 })
    const counts = new Map<string, number>()
    pool.events?.(({ tag }) => counts.set(tag, (counts.get(tag) ?? 0) + 1))
    await t.time.settle()
    const held = new Set<number>()
    const borrows: Array<Ending<unknown>> = []
    const borrow = () => {
      const controller = new AbortController()
      borrows.push(t.work(pool, async (connection) => {
        held.add(connection.id)
        await t.time.sleep(t.below(40))
        held.delete(connection.id)
        if (t.below(10) === 0) await pool.invalidate(connection)
      }, t.accepts("signal") ? { signal: controller.signal } : undefined))
      if (t.below(4) === 0) t.time.after(t.below(60), () => controller.abort())
    }
    for (let step = 0; step < 2000 && t.problems.length === 0; step++) {
      if (t.below(3) < 2) borrow()
      await (t.below(2) === 0 ? t.time.advance(t.below(15)) : t.time.settle())
      compare(t, pool, held.size, borrows)
    }
    await t.time.advance(1000)
    const { ended } = pool.stats()
    t.expect(ended !== undefined, "the pool does not count how borrows ended")
    t.expect(pool.metrics !== undefined, "it has no metrics")
    t.expect(pool.events !== undefined, "it publishes no events")
    for (const [end, tag] of Object.entries(endings)) {
      const [counted, published] = [ended?.[end] ?? 0, counts.get(tag) ?? 0]
      t.expect(counted === published, `${counted} borrows are counted as ${end}, ${published} events say so`)
    }
  }
}

/** What publishes a borrow that ended so. */
const endings = { acquired: "Acquired", timedOut: "TimedOut", refused: "Refused", cancelled: "Cancelled" }

const compare = (t: Trial, pool: Pool, held: number, borrows: ReadonlyArray<Ending<unknown>>): void => {
  const { checking = 0, closing = 0, ended, idle, opening, used, waiting } = pool.stats()
  const pending = borrows.filter(({ state }) => state === "pending").length - held
  const agree = (name: string, said: number, truth: number) =>
    t.expect(said === truth, `${name} is ${said} where ${truth} is true`)
  agree("used", used, held)
  agree("waiting", waiting, pending)
  agree("idle + used", idle + used + checking + closing, t.server.open)
  const metrics = pool.metrics?.()
  agree("the metric of idle", metrics?.idle ?? idle, idle)
  agree("the metric of used", metrics?.used ?? used, used)
  agree("the metric of waiting", metrics?.waiting ?? waiting, waiting)
  if (opening !== undefined) agree("opening", opening, t.server.dialling)
  if (ended === undefined) return
  const sum = Object.values(ended).reduce((total, count) => total + count, 0)
  agree("the sum of all ends", sum, borrows.length - waiting)
}

export const load: ReadonlyArray<Case> = [overload, numbers]
