import { Fault } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"

const connection = (index: number): Fault.Connection => ({
  index,
  now: () => 0,
  cut: () => {},
  reset: () => {},
  end: () => {}
})

const data: Fault.Packet = { direction: "up", kind: "data", bytes: 1 }

/** The first ten times that a fault holds the packets of a connection back. */
const holds = (fault: Fault.Fault, index: number, packet = data): Array<number> => {
  const passage = fault.passage?.(connection(index))
  const hold = typeof passage === "function" ? passage : passage?.hold
  return Array.from({ length: 10 }, () => hold?.(packet) ?? 0)
}

describe("Fault", () => {
  it.each(["Infinity", "-1 millis"] as const)("refuses %s, which is no time to wait", (time) => {
    assert.throws(() => Fault.delay(time), RangeError, "Fault.delay: duration is")
    assert.throws(() => Fault.jitter(time, 1), RangeError, "Fault.jitter: max is")
    assert.throws(() => Fault.slowClose(time), RangeError, "Fault.slowClose: duration is")
  })

  it.each([0, -1, 1.5, Infinity, NaN])("refuses %s, which is no number of bytes", (bytes) => {
    assert.throws(() => Fault.bandwidth(bytes), RangeError, `Fault.bandwidth: bytesPerSecond is ${bytes}`)
    assert.throws(() => Fault.cutAfter(bytes), RangeError, `Fault.cutAfter: bytes is ${bytes}`)
  })
})

describe("Fault.jitter", () => {
  it("draws the same times from the same seed, between none and the most", () => {
    const times = holds(Fault.jitter("1 second", "a seed"), 0)
    assert.deepStrictEqual(holds(Fault.jitter("1 second", "a seed"), 0), times)
    assert.strictEqual(new Set(times).size, 10)
    assert.isTrue(times.every((time) => time >= 0 && time < 1000))
  })

  it("draws other times from another seed, for another connection, and in the other direction", () => {
    const times = holds(Fault.jitter("1 second", 1), 0)
    assert.notDeepEqual(holds(Fault.jitter("1 second", 2), 0), times)
    assert.notDeepEqual(holds(Fault.jitter("1 second", 1), 1), times)
    assert.notDeepEqual(holds(Fault.jitter("1 second", 1), 0, { ...data, direction: "down" }), times)
  })
})

describe("Fault.only", () => {
  it("keeps a fault to one direction, beside the same one in the other", () => {
    const slow = Fault.only("down", Fault.delay("1 second"))
    assert.strictEqual(holds(slow, 0)[0], 0)
    assert.strictEqual(holds(slow, 0, { ...data, direction: "down" })[0], 1000)
    assert.notStrictEqual(slow.name, Fault.only("up", Fault.delay("1 second")).name)
  })

  it("refuses a fault that knows no direction", () => {
    assert.throws(() => Fault.only("up", Fault.cut), RangeError, "Fault.only: fault is cut")
  })
})
