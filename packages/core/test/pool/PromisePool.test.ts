import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { setImmediate } from "node:timers/promises"
import { isPoolError } from "../../src/pool/PoolError.ts"
import * as PromisePool from "../../src/pool/PromisePool.ts"

/** Opens connections by promises, at once unless told to wait for `open` to be called. */
const makeServer = () => {
  const server = {
    opened: 0,
    closed: 0,
    /** Resolves what is being opened, where `slow`. */
    waiting: new Array<() => void>(),
    slow: false,
    aborted: 0,
    open: async (signal: AbortSignal) => {
      signal.addEventListener("abort", () => server.aborted++)
      if (server.slow) await new Promise<void>((resolve) => server.waiting.push(resolve))
      return { id: ++server.opened }
    },
    close: async () => {
      await setImmediate()
      server.closed++
    }
  }
  return server
}

const startOn = (server: ReturnType<typeof makeServer>, more?: Partial<PromisePool.FunctionOptions<{ id: number }>>) =>
  PromisePool.start({ name: "p", open: server.open, close: server.close, size: { max: 2 }, ...more })

const identity = (error: unknown) => error

const reasonOf = async (promise: Promise<unknown>) => {
  const error = await promise.catch(identity)
  return isPoolError(error) ? error.reason._tag : error
}

const never = () => new Promise<never>(() => {})

describe("PromisePool", () => {
  it("lends for the time of a promise, and resolves and rejects as it does", async () => {
    const server = makeServer()
    const pool = await startOn(server)
    assert.strictEqual(await pool.run(({ id }) => id), 1)
    assert.strictEqual(await pool.run(async ({ id }) => id), 1)
    const cause = { not: "an error" }
    const failures = [
      () => Promise.reject(cause),
      () => {
        throw cause
      }
    ]
    for (const work of failures) {
      assert.strictEqual(await pool.run(work).catch(identity), cause)
    }
    const { acquired, idle, used } = pool.stats()
    assert.deepStrictEqual({ acquired, idle, used }, { acquired: 4, idle: 1, used: 0 })
    await pool.close()
    assert.deepStrictEqual([server.opened, server.closed], [1, 1])
  })

  it("lends until the lease is released or disposed of, once", async () => {
    const pool = await startOn(makeServer())
    const first = await pool.acquire()
    {
      await using second = await pool.acquire()
      assert.deepStrictEqual([first.item.id, second.item.id, pool.stats().used], [1, 2, 2])
    }
    assert.strictEqual(pool.stats().used, 1)
    await first.release()
    await first.release()
    assert.deepStrictEqual([pool.stats().used, pool.stats().idle], [0, 2])
    await pool.close()
  })

  it("takes an effect as well", async () => {
    const pool = await PromisePool.start({ name: "p", acquire: Effect.succeed("item"), size: { max: 1 } })
    assert.strictEqual(await pool.run((item) => item), "item")
    assert.strictEqual(pool.pool.name, "p")
    await pool.close()
  })

  it("rejects with the typed errors of the pool", async () => {
    const server = makeServer()
    const pool = await startOn(server, { size: { max: 1 }, wait: { maxWaiting: 1 } })
    const lease = await pool.acquire()
    const timedOut = pool.run(() => 0, { timeout: "10 millis" })
    assert.strictEqual(await reasonOf(pool.acquire()), "QueueFull")
    assert.strictEqual(await reasonOf(timedOut), "AcquireTimeout")
    await lease.release()
    await pool.close()
    assert.strictEqual(await reasonOf(pool.run(() => 0)), "Closed")
  })

  it("tells what failing functions said, and opens anew what did not pass its test", async () => {
    const cause = new Error("no route")
    const unreachable = await PromisePool.start({ name: "p", open: () => Promise.reject(cause), size: { max: 1 } })
    const error = await unreachable.run(() => 0).catch(identity)
    assert.isTrue(isPoolError(error) && error.reason._tag === "Unavailable" && error.reason.cause === cause)
    await unreachable.close()

    const server = makeServer()
    let tested = 0
    const test = async () => {
      tested++
      throw cause
    }
    const pool = await startOn(server, { check: { test, skipWithin: 0 } })
    await pool.run(() => 0)
    await setImmediate()
    assert.strictEqual(await pool.run(({ id }) => id), 2)
    assert.isAtLeast(tested, 1)
    await pool.close()
    assert.strictEqual(server.closed, server.opened)
  })

  it("closes what cannot be made as good as new, and asks for nothing more of what can", async () => {
    const server = makeServer()
    const returned: Array<number> = []
    const onReturn = async ({ id }: { readonly id: number }) => {
      returned.push(id)
      if (id === 1) throw new Error("dirty")
    }
    const pool = await startOn(server, { onReturn })
    for (let i = 0; i < 3; i++) {
      await pool.run(() => 0)
      while (pool.stats().checking > 0) await setImmediate()
    }
    assert.deepStrictEqual(returned, [1, 2, 2])
    await pool.close()
  })

  it("throws for options that are not allowed, by the call", async () => {
    assert.throws(() => PromisePool.start({ name: "p", open: never, size: { max: 0 } }), RangeError)
    const pool = await startOn(makeServer())
    assert.throws(() => pool.run(() => 0, { timeout: 0 }), RangeError)
    assert.throws(() => pool.acquire({ timeout: 0 }), RangeError)
    assert.throws(() => pool.close({ deadline: "Infinity" }), RangeError)
    await pool.close()
  })

  it("closes with a report, after work under way, and what cannot be closed in time is cut", async () => {
    const server = makeServer()
    const pool = await startOn(server)
    const cut = pool.run(() => never())
    const lease = await pool.acquire({ label: "report" })
    const report = await pool.close({ deadline: "20 millis" })
    assert.deepStrictEqual(report.cut.map(({ label }) => label), [undefined, "report"])
    assert.deepStrictEqual([server.closed, report.leftOpen], [2, 0])
    await lease.release()
    assert.strictEqual((await pool.close()).cut.length, 2) // closing twice is closing once
    void cut
  })

  it("ends the iteration of its events with the pool, and stops telling who leaves it", async () => {
    const pool = await startOn(makeServer())
    const left: Array<string> = []
    const leaver = (async () => {
      for await (const event of pool.events) {
        left.push(event._tag)
        if (event._tag === "Acquired") break
      }
    })()
    const seen: Array<string> = []
    const listener = (async () => {
      for await (const event of pool.events) seen.push(event._tag)
    })()
    await setImmediate()
    await pool.run(() => 0)
    await leaver
    await pool.run(() => 0)
    await pool.close()
    await listener
    assert.deepStrictEqual(left, ["Waited", "Dialed", "Acquired"])
    const last = seen.slice(-6)
    assert.deepStrictEqual(last, ["Returned", "Acquired", "Returned", "Draining", "Closed", "Drained"])
  })
})

describe("the signals of a PromisePool", () => {
  it("rejects with the signal's reason before anything begins", async () => {
    const pool = await startOn(makeServer())
    const signal = AbortSignal.abort("gone")
    for (
      const call of [() => pool.run(() => 0, { signal }), () => pool.acquire({ signal }), () => pool.warm({ signal })]
    ) {
      assert.strictEqual(await call().catch(identity), "gone")
    }
    assert.strictEqual(pool.stats().cancelled, 0)
    await pool.close()
    const options = { name: "p", open: never, size: { max: 1 }, start: "fail-fast" } as const
    assert.strictEqual(await PromisePool.start(options, { signal }).catch(identity), "gone")
  })

  it("ends a wait, and leaves the dial it began to the next", async () => {
    const server = makeServer()
    server.slow = true
    const pool = await startOn(server)
    const controller = new AbortController()
    const waiting = pool.run(() => 0, { signal: controller.signal })
    await setImmediate()
    controller.abort("enough")
    assert.strictEqual(await waiting.catch(identity), "enough")
    assert.strictEqual(pool.stats().cancelled, 1)
    server.waiting.forEach((resolve) => resolve())
    assert.strictEqual(await pool.run(({ id }) => id), 1)
    await pool.close()
  })

  it("tells work, and gives its connection back when it settles", async () => {
    const pool = await startOn(makeServer())
    const controller = new AbortController()
    const told: Array<unknown> = []
    const work = (_: unknown, signal: AbortSignal) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => {
          told.push(signal.reason)
          reject(new Error("stopped"))
        })
      )
    const working = pool.run(work, { signal: controller.signal })
    await setImmediate()
    controller.abort("enough")
    assert.strictEqual(await working.catch(identity), "enough")
    assert.deepStrictEqual(told, ["enough"])
    const { closed, idle, used } = pool.stats()
    assert.deepStrictEqual({ closed, idle, used }, { closed: 0, idle: 1, used: 0 })
    await pool.close()
  })

  it("closes the connection of work that does not settle: nobody else may get it", async () => {
    const server = makeServer()
    const pool = await startOn(server)
    const controller = new AbortController()
    const working = pool.run(never, { signal: controller.signal })
    await setImmediate()
    controller.abort("enough")
    assert.strictEqual(await working.catch(identity), "enough")
    assert.deepStrictEqual([pool.stats().used, pool.stats().closed], [0, 1])
    assert.strictEqual(await pool.run(({ id }) => id), 2)
    await pool.close()
  })

  it("cancels at the server what was given up, however that ends, and does not wait for it", async () => {
    const server = makeServer()
    const cancelled: Array<number> = []
    const cancel = async ({ id }: { readonly id: number }) => {
      cancelled.push(id)
      throw new Error("gone already")
    }
    const pool = await startOn(server, { cancel })
    const controller = new AbortController()
    const working = pool.run(never, { signal: controller.signal })
    await setImmediate()
    controller.abort("enough")
    assert.strictEqual(await working.catch(identity), "enough")
    assert.strictEqual(await pool.run(({ id }) => id), 2)
    await pool.close()
    assert.deepStrictEqual([cancelled, server.closed], [[1], 2])
  })

  it("aborts a dial that took too long, and closes what it opens nevertheless", async () => {
    const server = makeServer()
    server.slow = true
    const pool = await startOn(server, { dial: { timeout: "10 millis" }, size: { max: 1 } })
    assert.strictEqual(await reasonOf(pool.run(() => 0, { timeout: "20 millis" })), "AcquireTimeout")
    assert.isAtLeast(server.aborted, 1)
    const closing = pool.close()
    server.waiting.forEach((resolve) => resolve())
    await closing
    assert.isAtLeast(server.opened, 1)
    assert.strictEqual(server.closed, server.opened)
  })

  const turns = { microtasks: () => Promise.resolve(), turns: () => setImmediate() }
  for (const [unit, turn] of Object.entries(turns)) {
    /** Aborts `call` after `n` of them; what it gives before that is ended by `end`. */
    const abortAfter = async <A>(
      n: number,
      call: (signal: AbortSignal) => Promise<A>,
      end: (result: A) => Promise<unknown>
    ) => {
      const controller = new AbortController()
      const calling = call(controller.signal).then(end, (error: unknown) => assert.strictEqual(error, "enough"))
      for (let i = 0; i < n; i++) await turn()
      controller.abort("enough")
      await calling
    }

    it(`leave nothing borrowed and nothing open when they fire after any number of ${unit}`, async () => {
      for (let n = 0; n < 30; n++) {
        const server = makeServer()
        const pool = await startOn(server, { size: { max: 1 } })
        await abortAfter(n, (signal) => pool.run(turn, { signal }), () => Promise.resolve())
        await abortAfter(n, (signal) => pool.acquire({ signal }), (lease) => lease.release())
        assert.strictEqual(pool.stats().used, 0, `after ${n}`)
        await pool.close()
        assert.strictEqual(server.closed, server.opened, `after ${n}`)
      }
    })

    it(`leave nothing open when they end a start after any number of ${unit}`, async () => {
      for (let n = 0; n < 30; n++) {
        const server = makeServer()
        const { close, open } = server
        const options = { name: "p", open, close, size: { max: 1 }, start: "fail-fast" } as const
        await abortAfter(n, (signal) => PromisePool.start(options, { signal }), (pool) => pool.close())
        assert.strictEqual(server.closed, server.opened, `after ${n}`)
      }
    })
  }
})
