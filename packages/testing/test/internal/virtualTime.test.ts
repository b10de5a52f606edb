import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { VirtualTime } from "../../src/internal/conformance/virtualTime.ts"

const onVirtualTime = async <A>(body: (time: VirtualTime) => Promise<A>): Promise<A> => {
  const time = new VirtualTime(5000)
  time.install(1)
  try {
    return await body(time)
  } finally {
    time.uninstall()
  }
}

describe("VirtualTime", () => {
  it("fires timers in the order of their instants, and of their making where these are the same", () =>
    onVirtualTime(async (time) => {
      const fired: Array<string> = []
      const note = (name: string) => () => void fired.push(`${name} ${time.now()}`)
      setTimeout(note("late"), 20)
      setTimeout(note("first"), 10)
      setTimeout(note("second"), 10)
      clearTimeout(setTimeout(note("never"), 10))
      const every = setInterval(note("every"), 8)
      await time.advance(17)
      clearInterval(every)
      await time.advance(100)
      assert.deepStrictEqual(fired, ["every 8", "first 10", "second 10", "every 16", "late 20"])
    }))

  it("lets what a timer starts end at its instant", () =>
    onVirtualTime(async (time) => {
      const ended = new Promise<number>((resolve) =>
        setTimeout(() => setImmediate(() => void Promise.resolve().then(() => resolve(time.now()))), 10)
      )
      await time.advance(1000)
      assert.strictEqual(await ended, 10)
    }))

  it("moves the clock of Effect, and every other, with it", () =>
    onVirtualTime(async (time) => {
      const read = () => [
        Date.now(),
        new Date().getTime(),
        performance.now(),
        Number(process.hrtime.bigint()) / 1e6,
        Effect.runSync(Clock.currentTimeMillis),
        Number(Effect.runSync(Clock.clockWith((clock) => clock.monotonicTimeNanos))) / 1e6
      ]
      const before = read()
      await time.advance(1234)
      assert.deepStrictEqual(read().map((value, n) => value - before[n]!), before.map(() => 1234))
    }))

  it("lets the wall jump without the monotonic hand, and both with all timers late", () =>
    onVirtualTime(async (time) => {
      const [wall, monotonic] = [Date.now(), performance.now()]
      let firedAt = 0
      setTimeout(() => (firedAt = time.now()), 10)
      time.jumpWall(5000)
      assert.deepStrictEqual([Date.now() - wall, performance.now() - monotonic, firedAt], [5000, 0, 0])
      await time.freeze(300)
      assert.deepStrictEqual([Date.now() - wall, performance.now() - monotonic, firedAt], [5300, 300, 300])
    }))

  it("repeats its random numbers", async () => {
    const draw = () => onVirtualTime(async () => [Math.random(), Math.random()])
    assert.deepStrictEqual(await draw(), await draw())
  })
})
