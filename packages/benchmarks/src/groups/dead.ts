/** Ten thousand callers and a server that refuses every connection: what it costs, and when they are told. */
import * as Pool from "@breakwater/core/Pool"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as LightningPool from "lightning-pool"
import * as net from "node:net"
import * as Tarn from "tarn"
import type { Group } from "../candidate.ts"
import type { Observed, Trial, TrialCase } from "../trial.ts"

const CALLERS = 10_000
/** Callers in one turn of the event loop: their own start must not be what blocks it. */
const BATCH = 100
const SIZE = 20
/** Peers dial until then, thousands of times, and tell nobody before. */
const DEADLINE_MS = 2000
/** The dials that follow are counted for this long. */
const WATCHED_MS = 2000

type Name = "cpu" | "block" | "told" | "dials" | "later" | "peak"

/** Tries to connect to a port where nobody listens, and counts. */
class DeadServer {
  dials = 0
  peak = 0
  private dialling = 0
  private readonly port: number

  private constructor(port: number) {
    this.port = port
  }

  static make(): Promise<DeadServer> {
    return new Promise((resolve, reject) => {
      const server = net.createServer()
      server.on("error", reject)
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        server.close(() =>
          typeof address === "object" && address !== null
            ? resolve(new DeadServer(address.port))
            : reject(new Error("no port"))
        )
      })
    })
  }

  readonly connect = (): Promise<net.Socket> =>
    new Promise((resolve, reject) => {
      this.dials++
      this.peak = Math.max(this.peak, ++this.dialling)
      const socket = net.connect(this.port, "127.0.0.1", () => resolve(socket))
      socket.on("error", (error) => {
        this.dialling--
        reject(error)
      })
    })
}

/** CPU of this process in milliseconds. */
const cpuMillis = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1000
}

/** CPU of the thread that the event loop runs on; of the whole process where the runtime cannot tell. */
const loopMillis = (): number => {
  if (typeof process.threadCpuUsage !== "function") return cpuMillis()
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1000
}

/**
 * The most CPU between two turns of the event loop: how long nothing else could run, without what other processes, and
 * the collector's and the compiler's own threads, took meanwhile.
 */
const watchLoop = () => {
  let longest = 0
  let last = loopMillis()
  let watching = true
  const turn = () => {
    const now = loopMillis()
    longest = Math.max(longest, now - last)
    last = now
    if (watching) setTimeout(turn, 0)
  }
  turn()
  return () => {
    watching = false
    return longest
  }
}

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

/** All call, as fast as the loop allows, and each says when it knows that it has no connection. */
const observe = async (
  server: DeadServer,
  call: (told: () => void) => void
): Promise<Observed<Name>> => {
  const began = performance.now()
  const before = cpuMillis()
  const longest = watchLoop()
  let waiting = CALLERS
  await new Promise<void>((resolve) => {
    let called = 0
    const told = () => {
      if (--waiting === 0) resolve()
    }
    const batch = () => {
      for (let n = 0; n < BATCH && called < CALLERS; n++, called++) call(told)
      if (called < CALLERS) setImmediate(batch)
    }
    batch()
  })
  const told = performance.now() - began
  const cpu = cpuMillis() - before
  const block = longest()
  const { dials } = server
  await pause(WATCHED_MS)
  const later = Math.round((server.dials - dials) / WATCHED_MS * 1000)
  return { cpu, block, told, dials, later, peak: server.peak }
}

const ours: Trial<Name> = {
  name: "Breakwater",
  role: "ours",
  run: async () => {
    const server = await DeadServer.make()
    const scope = Scope.makeUnsafe()
    const acquire = Effect.acquireRelease(
      Effect.tryPromise(server.connect),
      (socket) => Effect.sync(() => socket.destroy())
    )
    const options = { name: "dead", acquire, size: { max: SIZE }, wait: { timeout: DEADLINE_MS, maxWaiting: CALLERS } }
    const pool = await Effect.runPromise(Scope.provide(Pool.make(options), scope))
    const borrow = Pool.use(pool, () => Effect.void)
    const observed = await observe(server, (told) => {
      Effect.runFork(borrow).addObserver(told)
    })
    await Effect.runPromise(Scope.close(scope, Exit.void))
    return observed
  }
}

/** As many fibers that wait half a second, and fail. */
const floor: Trial<Name> = {
  name: "Fibers alone",
  role: "floor",
  run: async () => {
    const server = await DeadServer.make()
    const resumes: Array<() => void> = []
    const timer = setTimeout(() => resumes.forEach((resume) => resume()), 500)
    const wait = Effect.callback<never, string>((resume) => void resumes.push(() => resume(Effect.fail("told"))))
    const observed = await observe(server, (told) => {
      Effect.runFork(wait).addObserver(told)
    })
    clearTimeout(timer)
    return observed
  }
}

interface Lender {
  readonly acquire: () => Promise<unknown>
  readonly close: () => Promise<unknown>
}

const peer = (name: string, make: (server: DeadServer) => Lender): Trial<Name> => ({
  name,
  role: "peer",
  run: async () => {
    const server = await DeadServer.make()
    const pool = make(server)
    const observed = await observe(server, (told) => void pool.acquire().then(told, told))
    await pool.close()
    return observed
  }
})

const destroy = async (socket: net.Socket) => void socket.destroy()

const tarn = peer("tarn", ({ connect }) => {
  const pool = new Tarn.Pool<net.Socket>({
    create: connect,
    destroy,
    min: 0,
    max: SIZE,
    acquireTimeoutMillis: DEADLINE_MS,
    propagateCreateError: false
  })
  return { acquire: () => pool.acquire().promise, close: () => pool.destroy() }
})

const lightningPool = peer("lightning-pool", ({ connect }) => {
  const pool = LightningPool.createPool<net.Socket>({ create: connect, destroy }, {
    min: 0,
    max: SIZE,
    acquireTimeoutMillis: DEADLINE_MS,
    maxQueue: CALLERS
  })
  return { acquire: () => pool.acquire(), close: () => pool.closeAsync(0) }
})

const refusing: TrialCase<Name> = {
  name: "10,000 callers against a server that refuses",
  about: [
    `${
      CALLERS.toLocaleString("en")
    } callers, ${BATCH} a turn of the event loop, want one of ${SIZE} connections to a port`,
    `where nobody listens, within ${
      DEADLINE_MS / 1000
    } s. CPU is that of the process until the last of them has been told.`
  ].join("\n"),
  figures: {
    cpu: { title: "CPU", unit: "ms" },
    block: { title: "longest block of the loop", unit: "ms" },
    told: { title: "all told after", unit: "ms" },
    dials: { title: "dials until then", unit: "count" },
    later: { title: "a second after that", unit: "count" },
    peak: { title: "most dials at once", unit: "count" }
  },
  trials: [floor, ours, tarn, lightningPool],
  goals: [
    { of: "Breakwater", figure: "cpu", atMost: 200 },
    { of: "Breakwater", figure: "block", atMost: 20 },
    { of: "Breakwater", figure: "told", atMost: DEADLINE_MS },
    { of: "Breakwater", figure: "later", atMost: 10 },
    { of: "Breakwater", figure: "peak", atMost: 1 }
  ]
}

export const dead: Group = { name: "dead", cases: Effect.succeed([refusing]) }
