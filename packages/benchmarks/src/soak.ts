/**
 * `npm run soak -- [--seconds N]`: twice the load that a pool can serve, over TCP, through everything that goes wrong at
 * random, for N seconds; every ten seconds a pause, to see whether anything is left: heap, leases, sockets, timers.
 * Exits with 1 when something is. By hand, on Node.
 */
import * as Pool from "@breakwater/core/Pool"
import { FaultProxy } from "@breakwater/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as v8 from "node:v8"
import * as vm from "node:vm"
import * as CommandLine from "../../../scripts/commandLine.ts"
import { table } from "./report.ts"
import { call, serviceMillis, SIZE, Tally } from "./soak/load.ts"
import { Client, listen, type Server } from "./soak/server.ts"
import { makeTrouble } from "./soak/trouble.ts"
import { median } from "./statistics.ts"

const STAGE_SECONDS = 10
/** Longer than anything may take that has begun: the deadlines of a borrow, of its work, of a dial and of a close. */
const QUIET_WITHIN_MS = 15_000
/** More than the noise of the heap's own layout between two samples. */
const HEAP_SLACK_MIB = 1

interface Sample {
  readonly seconds: number
  readonly ended: number
  readonly heapMiB: number
  readonly leases: number
  readonly sockets: number
  readonly timers: number
}

v8.setFlagsFromString("--expose-gc")
// What a new context finds under that name.
const collectGarbage = vm.runInNewContext("gc") as () => void

/** Those that are armed; in a turn of its own, because a timer counts until what it called has returned. */
const timers = Effect.map(
  Effect.yieldNow,
  () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
)

const options = (proxy: FaultProxy.FaultProxy) => ({
  name: "soak",
  acquire: Client.connect(proxy),
  size: { min: 2, max: SIZE },
  wait: { timeout: "1 second", maxHold: "1 second", codel: { target: "50 millis", interval: "1 second" } },
  dial: { timeout: "1 second", concurrency: 4 },
  onReturn: () => Effect.yieldNow,
  cancel: () => Effect.void,
  lifetime: { max: "20 seconds", idle: "3 seconds" },
  check: {
    test: (client: Client) => client.request,
    keepalive: "2 seconds",
    isAlive: (client: Client) => !client.isLost
  }
} as const)

/** Everything that has begun ends, at the server too, or it never will. */
const untilQuiet = (pool: Pool.Pool<Client>, server: Server, tally: Tally, end: number): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    const { checking, closing, idle, opening, used, waiting } = yield* Pool.stats(pool)
    const left = used + waiting + opening + closing + checking + tally.pending
    if (left === 0 && server.open() <= idle) return true
    if ((yield* Clock.currentTimeMillis) > end) return false
    yield* Effect.sleep("50 millis")
    return yield* untilQuiet(pool, server, tally, end)
  })

const sample = (pool: Pool.Pool<Client>, server: Server, tally: Tally, seconds: number) =>
  Effect.gen(function*() {
    collectGarbage()
    collectGarbage()
    const { idle, used, waiting } = yield* Pool.stats(pool)
    return {
      seconds,
      ended: Object.values(tally.ended).reduce((sum, count) => sum + count, 0),
      heapMiB: process.memoryUsage().heapUsed / 2 ** 20,
      leases: used + waiting + tally.pending,
      // An idle connection may have been cut and not been looked at since.
      sockets: Math.max(0, server.open() - idle),
      timers: yield* timers
    }
  })

const stage = (
  pool: Pool.Pool<Client>,
  proxy: FaultProxy.FaultProxy,
  server: Server,
  tally: Tally,
  troubles: Record<string, number>
) =>
  Effect.gen(function*() {
    const load = yield* Effect.forkChild(call(pool, tally))
    const trouble = yield* Effect.forkChild(makeTrouble(proxy, pool, troubles))
    yield* Effect.sleep(STAGE_SECONDS * 1000)
    yield* Fiber.interruptAll([load, trouble])
    yield* proxy.restore
    yield* Pool.resume(pool)
    yield* Pool.resize(pool, { min: 2, max: SIZE })
    const end = (yield* Clock.currentTimeMillis) + QUIET_WITHIN_MS
    return yield* untilQuiet(pool, server, tally, end)
  })

const rowOf = (one: Sample): ReadonlyArray<string> =>
  [one.seconds, one.ended, one.heapMiB.toFixed(2), one.leases, one.sockets, one.timers].map(String)

const heads = ["second", "calls ended", "heap (MiB)", "leases left", "sockets left", "timers"]

/** What is wrong with the samples. The first one still has the warm-up in it. */
const faultsOf = ([, ...samples]: ReadonlyArray<Sample>, idleTimers: number): ReadonlyArray<string> => {
  const third = Math.max(1, Math.floor(samples.length / 3))
  const heap = (part: ReadonlyArray<Sample>) => median(part.map(({ heapMiB }) => heapMiB))
  const [first, last] = [heap(samples.slice(0, third)), heap(samples.slice(-third))]
  const faults: Array<string> = []
  if (last > first + HEAP_SLACK_MIB) faults.push(`the heap grew from ${first.toFixed(2)} to ${last.toFixed(2)} MiB`)
  for (const one of samples) {
    if (one.leases !== 0) faults.push(`${one.leases} leases, waits or calls left at second ${one.seconds}`)
    if (one.sockets !== 0) faults.push(`${one.sockets} sockets left at second ${one.seconds}`)
    if (one.timers > idleTimers) {
      faults.push(`${one.timers} timers left at second ${one.seconds}, at most ${idleTimers}`)
    }
  }
  return faults
}

const soak = (seconds: number) =>
  Effect.gen(function*() {
    const server = yield* listen(serviceMillis)
    const proxy = yield* FaultProxy.make({ target: server })
    const before = yield* timers
    const tally = new Tally()
    const troubles: Record<string, number> = {}
    const samples: Array<Sample> = []
    const faults: Array<string> = []
    const began = yield* Clock.currentTimeMillis
    const elapsed = Effect.map(Clock.currentTimeMillis, (now) => Math.round((now - began) / 1000))
    yield* Effect.scoped(Effect.gen(function*() {
      const pool = yield* Pool.make(options(proxy))
      while ((yield* elapsed) < seconds) {
        const quiet = yield* stage(pool, proxy, server, tally, troubles)
        if (!quiet) {
          faults.push(`not quiet after ${QUIET_WITHIN_MS / 1000} s: ${JSON.stringify(yield* Pool.stats(pool))}`)
        }
        samples.push(yield* sample(pool, server, tally, yield* elapsed))
        console.log(rowOf(samples.at(-1)!).join("\t"))
        if (!quiet) break
      }
    }))
    yield* Effect.sleep("100 millis")
    // The pool's own, which serves all its deadlines.
    faults.push(...faultsOf(samples, before + 1))
    if (server.open() > 0) faults.push(`${server.open()} sockets after the end`)
    const after = yield* timers
    if (after > before) faults.push(`${after - before} timers after the end`)
    console.log(`\n${table(heads, samples.map(rowOf))}\n`)
    console.log("calls:", tally.ended)
    console.log("troubles:", troubles)
    return faults
  }).pipe(Effect.scoped)

const { values: { seconds } } = CommandLine.read({
  command: "npm run soak",
  about: "Twice a pool's load, through everything that goes wrong at random: nothing may be left.",
  options: { seconds: CommandLine.integer("how long", { least: 30, most: 3600, absent: 600 }) },
  example: "--seconds 60"
})
const faults = await Effect.runPromise(soak(seconds))
for (const fault of faults) console.error(`soak: ${fault}`)
console.log(faults.length === 0 ? "flat" : "not flat")
process.exit(faults.length === 0 ? 0 : 1)
