/**
 * What waiting for a connection is like: how long, why in vain, in which order.
 *
 * @internal
 */
import type { Failure, Pool } from "../adapter.ts"
import type { Case } from "../behaviour.ts"
import { type Ending, type Trial } from "../trial.ts"

const late = (endings: ReadonlyArray<Ending<unknown>>, millis: number) =>
  endings.filter(({ took }) => !(took <= millis))

const deadline: Case = {
  number: 2,
  name: "One deadline",
  about: "A borrow of 200 ms ends by then, whatever mix of queue, dial, check and retry it met; the caller's own " +
    "deadline counts if it is shorter.",
  run: async (t) => {
    const inTime = (endings: ReadonlyArray<Ending<unknown>>, millis: number, where: string) => {
      const over = late(endings, millis)
      const last = Math.max(...over.map(({ took }) => took))
      const ended = Number.isFinite(last) ? `the last after ${last} ms` : "some never"
      t.expect(over.length === 0, `${where}: ${over.length} of ${endings.length} ended after ${millis} ms, ${ended}`)
    }
    await blackHole(t, inTime)
    await queueThenDial(t, inTime)
    await check(t, inTime)
    await refused(t, inTime)
  }
}

type InTime = (endings: ReadonlyArray<Ending<unknown>>, millis: number, where: string) => void

const blackHole = async (t: Trial, inTime: InTime) => {
  t.server.mode = "black hole"
  const pool = await t.make({ max: 10, timeout: 200 })
  const hasty = t.borrow(pool, { deadline: 50 })
  const endings = Array.from({ length: 1000 }, () => t.borrow(pool))
  await t.time.advance(1000)
  inTime(endings, 200, "a server that never answers a dial")
  inTime([hasty], 50, "the caller's own deadline of 50 ms")
  t.server.mode = "accepts"
}

const queueThenDial = async (t: Trial, inTime: InTime) => {
  const pool = await t.make({ max: 1, timeout: 200 })
  const first = t.borrow(pool)
  await t.time.advance(10)
  const second = t.borrow(pool)
  await t.time.advance(150)
  t.server.dialTime = 100
  if (first.value !== undefined) {
    await pool.invalidate(first.value)
    t.release(pool, first.value)
  }
  await t.time.advance(1000)
  inTime([second], 200, "150 ms of queue, then a dial of 100 ms")
  t.server.dialTime = 0
}

const check = async (t: Trial, inTime: InTime) => {
  const pool = await t.warm(3, { max: 3, timeout: 200, check: { skipWithin: 500, timeout: 1000 } })
  await t.time.advance(600)
  t.server.kill("silence")
  t.server.mode = "black hole"
  const endings = Array.from({ length: 3 }, () => t.borrow(pool))
  await t.time.advance(3000)
  inTime(endings, 200, "idle connections that do not answer their check")
  t.server.mode = "accepts"
}

const refused = async (t: Trial, inTime: InTime) => {
  await t.server.setMode("refuses")
  const pool = await t.make({ max: 2, timeout: 200, failFast: false })
  const endings = Array.from({ length: 20 }, () => t.borrow(pool))
  await t.time.advance(1000)
  inTime(endings, 200, "a server that refuses every dial")
}

const saysWhy: Case = {
  number: 3,
  name: "Says why",
  about:
    "The error of a borrow that timed out names the phase, the counts, the age and site of the oldest holder, and " +
    "the last connect error.",
  run: async (t) => {
    const why = async (pool: Pool, where: string, look: (failure: Failure) => ReadonlyArray<string>) => {
      const ending = t.borrow(pool)
      await t.time.advance(5000)
      t.require(ending.state === "failed", `${where}: the borrow did not fail`)
      const missing = look(t.describe(ending.error))
      t.expect(missing.length === 0, `${where}: the error does not say ${missing.join(", ")}`)
    }
    const unless = (holds: boolean, what: string) => holds ? [] : [what]

    const queue = await t.make({ max: 1, timeout: 200 })
    t.hold(queue, 20_000, { label: "nightly report" })
    await t.time.advance(100)
    await why(queue, "all lent", ({ holder, phase, stats }) => [
      ...unless(phase === "queue", "that it waited in the queue"),
      ...unless(stats?.used === 1 && stats.idle === 0, "how many are lent and idle"),
      ...unless(holder?.age === 300, "the age of the oldest holder"),
      ...unless((holder?.site ?? "") !== "", "where it was borrowed")
    ])
    t.server.mode = "black hole"
    const dial = await t.make({ max: 1, timeout: 200 })
    await why(dial, "a dial without an answer", ({ phase, stats }) => [
      ...unless(phase === "dial", "that it waited for a dial"),
      ...unless((stats?.opening ?? 0) > 0, "how many are being opened")
    ])
    t.server.mode = "accepts"
    const silent = await t.warm(1, { max: 1, timeout: 200, check: { skipWithin: 500, timeout: 1000 } })
    await t.time.advance(600)
    t.server.kill("silence")
    await why(silent, "a check without an answer", ({ phase, stats }) => [
      ...unless(phase === "check", "that it waited for a check"),
      ...unless((stats?.checking ?? 0) > 0, "how many are being checked")
    ])
    await t.server.setMode("refuses")
    const refusing = await t.make({ max: 1, timeout: 200, failFast: false })
    await why(refusing, "refused dials", ({ connectError, phase }) => [
      ...unless(phase === "dial", "that it waited for a dial"),
      ...unless(connectError !== undefined, "what the last dial said")
    ])
  }
}

const boundedQueue: Case = {
  number: 4,
  name: "Bounded queue",
  about: "With 1,000 allowed to wait, the next is refused in the turn in which it came, and 20,000 more do not make " +
    "the queue longer.",
  run: async (t) => {
    const pool = await t.warm(1, { max: 1, timeout: 10_000, maxWaiting: 1000 })
    t.hold(pool, 60_000)
    await t.time.settle()
    const waiting = Array.from({ length: 1000 }, () => t.borrow(pool))
    await t.time.settle()
    t.expect(waiting.every(({ state }) => state === "pending"), "one of the 1,000 that may wait was refused")
    const next = t.borrow(pool)
    await t.restOfTurn()
    t.expect(next.state === "failed", "the 1,001st was not refused in its own turn")
    const more = Array.from({ length: 20_000 }, () => t.borrow(pool))
    await t.time.settle()
    const queued = more.filter(({ state }) => state === "pending").length
    t.expect(queued === 0, `${(1000 + queued).toLocaleString("en")} waited in the end`)
  }
}

/** Borrows that note in which order they were served, each returned at once. */
const served = (t: Trial, pool: Pool, into: Array<string>) => (name: string, options = {}) =>
  t.work(pool, async () => void into.push(name), options)

const order: Case = {
  number: 5,
  name: "FIFO",
  about: "1,000 waiters are served in the order of their arrival; who comes while a woken waiter has yet to run does " +
    "not overtake it; where there are priorities the highest comes first, where there are keys they take turns.",
  run: async (t) => {
    const pool = await t.warm(1, { max: 1, timeout: 60_000, maxWaiting: 2000 })
    const take = async () => {
      const holder = t.borrow(pool)
      await t.time.settle()
      t.require(holder.state === "done", "an idle pool did not lend")
      return () => t.release(pool, holder.value!)
    }
    let give = await take()
    const names: Array<string> = []
    const ask = served(t, pool, names)
    const expected = Array.from({ length: 1000 }, (_, n) => `${n}`)
    for (const name of expected) ask(name)
    await t.time.settle()
    give()
    ask("newcomer")
    await t.time.advance(1000)
    const at = names.findIndex((name, n) => name !== [...expected, "newcomer"][n])
    t.expect(at < 0 && names.length === 1001, `place ${at + 1} went to ${names[at] ?? "nobody"} (arrival from 0)`)

    give = await take()
    names.length = 0
    if (t.accepts("priority")) { for (const priority of [0, 2, 1]) ask(`priority ${priority}`, { priority }) }
    if (t.accepts("key")) { for (const key of "aaabb") ask(key, { key }) }
    await t.time.settle()
    give()
    await t.time.advance(1000)
    const keys = names.filter((name) => name.length === 1).join("")
    const priorities = names.filter((name) => name.length > 1).map((name) => name.at(-1)).join("")
    t.expect(keys === "" || keys === "ababa", `keys a, a, a, b, b were served as ${keys}`)
    t.expect(priorities === "" || priorities === "210", `priorities 0, 2, 1 were served as ${priorities}`)
  }
}

const ROUNDS = 10_000
const TIMED_ROUNDS = 2000

const wakeUps: Case = {
  number: 6,
  name: "No lost wake-up",
  about: "Callers that leave in the very moment of the hand-off strand nobody: after 10,000 seeded rounds nothing is " +
    "lent, nobody waits, and the pool still serves.",
  run: async (t) => {
    const leaves = t.accepts("signal")
    const pool = await t.warm(2, { max: 2, timeout: leaves ? 60_000 : 20 })
    const rounds = leaves ? ROUNDS : TIMED_ROUNDS
    for (let round = 1; round <= rounds; round++) {
      const endings = leaves ? leaving(t, pool) : timingOut(t, pool)
      await (leaves ? t.time.settle() : t.time.advance(60))
      const stranded = endings.filter(({ state }) => state === "pending").length
      t.require(stranded === 0, `round ${round}: ${stranded} borrows were never told anything`)
    }
    await t.time.settle()
    const { used, waiting } = pool.stats()
    t.expect(used === 0 && waiting === 0, `${used} lent and ${waiting} waiting after all rounds`)
    const last = t.borrow(pool)
    await t.time.settle()
    t.expect(last.state === "done", "the pool no longer serves after all rounds")
  }
}

/** Two hold and return, three wait; each leaves, or not, at a random step of the hand-off. */
const leaving = (t: Trial, pool: Pool): Array<Ending<unknown>> =>
  Array.from({ length: 5 }, () => {
    const controller = new AbortController()
    const ending = t.work(pool, () => steps(t.below(6)), { signal: controller.signal })
    if (t.below(2) === 0) void steps(t.below(12)).then(() => controller.abort())
    return ending
  })

/** Returns that fall on the instant of the waiters' deadline, just before it, and just after. */
const timingOut = (t: Trial, pool: Pool): Array<Ending<unknown>> =>
  Array.from({ length: 5 }, () => t.hold(pool, 19 + t.below(3)))

const steps = async (count: number): Promise<void> => {
  for (let n = 0; n < count; n++) await Promise.resolve()
}

export const waiting: ReadonlyArray<Case> = [deadline, saysWhy, boundedQueue, order, wakeUps]
