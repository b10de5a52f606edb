import { assert, it } from "@effect/vitest"
import { Budget } from "../src/internal/budget.ts"
import { Outbox } from "../src/internal/outbox.ts"

const taken = (outbox: Outbox): Array<unknown> => {
  const all: Array<unknown> = []
  for (let first = outbox.first; first !== undefined; first = outbox.first) {
    all.push(first)
    outbox.shift()
  }
  return all
}

it("gives messages back in order, and has room again for as many bytes as were taken", () => {
  const outbox = new Outbox({ outboxMessages: 3, outboxBytes: 4, dropOldest: false })
  assert.strictEqual(outbox.offer("ab"), undefined)
  assert.strictEqual(outbox.offer(Uint8Array.of(1, 2)), undefined)
  assert.strictEqual(outbox.offer("c"), "bytes")
  outbox.shift()
  assert.strictEqual(outbox.offer("é"), undefined)
  assert.deepStrictEqual(taken(outbox), [Uint8Array.of(1, 2), "é"])
})

it("counts empty messages, too", () => {
  const outbox = new Outbox({ outboxMessages: 2, outboxBytes: 4, dropOldest: false })
  assert.strictEqual(outbox.offer(""), undefined)
  assert.strictEqual(outbox.offer(""), undefined)
  assert.strictEqual(outbox.offer(""), "messages")
})

it("drops as many of the oldest as a new one takes", () => {
  const outbox = new Outbox({ outboxMessages: 9, outboxBytes: 4, dropOldest: true })
  for (const message of ["a", "b", "c", "d", "xyz"]) outbox.offer(message)
  assert.strictEqual(outbox.dropped, 3)
  assert.deepStrictEqual(taken(outbox), ["d", "xyz"])
})

it("allows so many dials in any span of time, and no more", () => {
  const budget = new Budget(3, 1000)
  const dials: Array<number> = []
  for (let now = 0; now < 5000; now += 10) {
    if (budget.wait(now) > 0) continue
    budget.spend(now)
    dials.push(now)
  }
  assert.deepStrictEqual(dials.slice(0, 7), [0, 10, 20, 1000, 1010, 1020, 2000])
  for (const from of dials) assert.isAtMost(dials.filter((at) => at >= from && at < from + 1000).length, 3)
})
