/**
 * What a borrower gets, and what is known of it: a clean session on the right server, a name for whoever keeps it.
 *
 * @internal
 */
import type { Event, Pool } from "../adapter.ts"
import type { Case } from "../behaviour.ts"
import { type Ending, inMillis, type Trial } from "../trial.ts"

const STATE = ["BEGIN", "SET", "TEMP", "LISTEN", "ROWS"]

const leaveState = (t: Trial, pool: Pool) =>
  t.work(pool, async (connection) => {
    await Promise.all(STATE.map((command) => connection.send(command)))
    return connection.id
  })

const state = (t: Trial, pool: Pool) =>
  t.work(pool, async (connection) => ({ id: connection.id, left: await connection.send("STATE") }))

const cleanOnReturn: Case = {
  number: 16,
  name: "Clean on return",
  about:
    "An open transaction, a setting, a temporary table, a subscription and unread rows do not survive the return; " +
    "a connection that cannot be reset is not lent again. On sockets.",
  run: async (t) => {
    const server = await t.onSockets()
    const pool = await t.make({ max: 1, timeout: 5000, reset: true }, server)
    const first = leaveState(t, pool)
    await t.time.advance(100)
    t.require(first.state === "done", "the first borrower was not served")
    const next = state(t, pool)
    await t.time.advance(100)
    t.require(next.state === "done", "the next borrower was not served")
    t.expect(next.value?.left === "clean", `the next borrower found ${next.value?.left}`)
    for (const session of server.sessions.keys()) session.failsReset = true
    const spoiling = leaveState(t, pool)
    await t.time.advance(100)
    const last = state(t, pool)
    await t.time.advance(1000)
    t.expect(
      last.state === "done" && last.value?.id !== spoiling.value && last.value?.left === "clean",
      "a connection whose reset failed was lent again"
    )
  }
}

const leakNamed: Case = {
  number: 17,
  name: "A leak is named",
  about: "A borrow held for longer than the threshold of 5 s is reported once, within a second, with label, site and " +
    "fiber, and once more when it comes back.",
  run: async (t) => {
    const pool = await t.make({ max: 2, timeout: 10_000, leakAfter: 5000 })
    t.require(pool.events !== undefined, "nothing tells of a borrow that is held for too long")
    const events: Array<Event> = []
    pool.events?.((event) => events.push(event))
    await t.time.settle()
    const named = (tag: string) => events.filter((event) => event.tag === tag)
    t.hold(pool, 20_000, { label: "nightly report" })
    await t.time.advance(4900)
    t.expect(named("Leaked").length === 0, "a leak was reported before its time")
    await t.time.advance(1100)
    const [leak] = named("Leaked")
    t.require(leak !== undefined, "no leak was reported within a second of the threshold")
    t.expect(leak?.label === "nightly report", "the report does not give the label")
    t.expect((leak?.site ?? "") !== "", "the report does not give the site")
    t.expect(leak?.fiber !== undefined, "the report does not give the fiber")
    await t.time.advance(13_000)
    t.expect(named("Leaked").length === 1, `${named("Leaked").length} reports of one leak`)
    t.expect(named("LeakReturned").length === 0, "the leak was reported as returned before it was")
    await t.time.advance(5000)
    t.expect(named("LeakReturned").length === 1, `${named("LeakReturned").length} reports of its return`)
  }
}

const nested: Case = {
  number: 18,
  name: "A nested borrow never hangs",
  about:
    "On size 1 a borrow inside a borrow fails without a timer; on size 2, of two that nest only the newer fails, " +
    "and both callers end; a nested borrow for which there is room succeeds.",
  run: async (t) => {
    const one = t.useOf(await t.warm(1, { max: 1, timeout: 10_000 }))
    const outer = t.watch(() => one((_, within) => t.watched(() => within(async () => "inner"))))
    await t.time.settle()
    t.expect(outer.state === "done", "on size 1 the nested borrow waited")
    t.expect(outer.value?.state !== "done", "on size 1 the nested borrow was served")

    const two = t.useOf(await t.warm(2, { max: 2, timeout: 10_000 }))
    const nest = () =>
      t.watch(() =>
        two(async (_, within) => {
          await t.time.sleep(10)
          return t.watched(() => within(async () => "inner"))
        })
      )
    const both = [nest(), nest()]
    await t.time.advance(10)
    const inner = both.map(({ value }) => value?.state)
    t.expect(both.every(({ state: now }) => now === "done"), "on size 2 two nested borrows wait for one another")
    t.expect(
      inner.filter((now) => now === "done").length === 1,
      `on size 2 ${inner.filter((now) => now === "done").length} of two nested borrows were served, expected 1`
    )
    await t.time.advance(20_000)
    const room = t.watch(() => two((_, within) => within(async () => "inner")))
    await t.time.settle()
    t.expect(room.state === "done", "a nested borrow was not served although there was room")
  }
}

const WORKERS = 10

const roleChange: Case = {
  number: 19,
  name: "Role change",
  about:
    "The writer becomes a reader without closing a socket, and the new writer is up 3 s later: no connection gives " +
    "more than one error, and writes succeed within a second of the new writer's start.",
  run: async (t) => {
    const pool = await t.warm(WORKERS, { max: WORKERS, timeout: 1000 })
    const errors = new Map<number, number>()
    const writtenAt: Array<number> = []
    let readOnlyAt = 0
    const write = () =>
      t.work(pool, async (connection) => {
        await t.time.sleep(5)
        try {
          await connection.send("WRITE")
          writtenAt.push(t.time.now())
        } catch (error) {
          errors.set(connection.id, (errors.get(connection.id) ?? 0) + 1)
          readOnlyAt = t.time.now()
          throw error
        }
      })
    const load = async (millis: number) => {
      const slots: Array<Ending<unknown>> = Array.from({ length: WORKERS }, write)
      for (let at = 0; at < millis; at += 10) {
        await t.time.advance(10)
        slots.forEach(({ state: now }, n) => now !== "pending" && (slots[n] = write()))
      }
    }
    await load(500)
    for (const session of t.server.sessions.keys()) session.role = "reader"
    await t.server.setMode("refuses")
    await load(3000)
    await t.server.setMode("accepts")
    const backAt = t.time.now()
    await load(3000)
    const most = Math.max(0, ...errors.values())
    t.expect(most <= 1, `one connection gave ${most} errors`)
    const recovered = (writtenAt.find((at) => at >= backAt) ?? Infinity) - backAt
    t.expect(recovered <= 1000, `the first write after the new writer was up took ${inMillis(recovered)}`)
    t.expect(readOnlyAt <= backAt + 1000, "a read-only server was lent more than a second after the new writer was up")
  }
}

export const lending: ReadonlyArray<Case> = [cleanOnReturn, leakNamed, nested, roleChange]
