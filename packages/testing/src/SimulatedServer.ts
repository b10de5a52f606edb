/**
 * A server as a model: some threads, a queue in front of them, and a time that each request takes. It goes on with a
 * request whose caller has gone, as servers do, unless `cancels` says otherwise.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Distribution } from "./Distribution.ts"
import * as Simulation from "./Simulation.ts"

/**
 * The server failed a request: it refused it (`down`, `queueFull`) or answered with an error.
 *
 * @category errors
 * @since 0.1.0
 */
export class ServerFailed extends Data.TaggedError("ServerFailed")<{
  readonly why: "down" | "queueFull" | "error"
}> {}

/**
 * What a server is made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Requests worked on at once. Default: any number. */
  readonly threads?: number | undefined
  /** Requests that may wait for a thread. Default: any number. */
  readonly queue?: number | undefined
  /** How long a request takes on its thread, given how many are worked on, itself included. */
  readonly serviceTime: (running: number) => Distribution
  /** Whether an interrupted request frees its place at once. Default: no. */
  readonly cancels?: boolean | undefined
}

/**
 * A running model. `failureShare` and `down` may be changed while it runs.
 *
 * @category models
 * @since 0.1.0
 */
export interface SimulatedServer {
  /** Share of requests answered with an error, 0 at first. */
  failureShare: number
  /** Whether it refuses everything at once. */
  down: boolean
  /** Replaces how long requests take from now on. */
  serviceTime: (running: number) => Distribution
  /** Requests that have reached it. */
  readonly requests: number
  /** Requests that have got a thread, and the milliseconds that their work takes in all. */
  readonly begun: number
  readonly work: number
  /** Requests worked on at this moment, and those that wait. */
  readonly running: number
  readonly waiting: number
  /** One request, from the moment it reaches the server to the answer. */
  readonly call: Effect.Effect<void, ServerFailed>
}

interface Request {
  gone: boolean
  readonly answer: (error: ServerFailed | undefined) => void
}

const failures = {
  down: new ServerFailed({ why: "down" }),
  queueFull: new ServerFailed({ why: "queueFull" }),
  error: new ServerFailed({ why: "error" })
}

class Model implements SimulatedServer {
  failureShare = 0
  down = false
  serviceTime: (running: number) => Distribution
  requests = 0
  begun = 0
  work = 0
  running = 0
  private readonly queue = new Set<Request>()
  private readonly threads: number
  private readonly queueLimit: number
  private readonly cancels: boolean
  private readonly time: Simulation.Time
  private readonly random: () => number

  constructor(options: Options, time: Simulation.Time, random: () => number) {
    this.serviceTime = options.serviceTime
    this.threads = options.threads ?? Infinity
    this.queueLimit = options.queue ?? Infinity
    this.cancels = options.cancels ?? false
    this.time = time
    this.random = random
  }

  get waiting(): number {
    return this.queue.size
  }

  readonly call: Effect.Effect<void, ServerFailed> = Effect.callback((resume) => {
    let cancel: (() => void) | undefined
    const request: Request = {
      gone: false,
      answer: (error) => resume(error === undefined ? Effect.void : Effect.fail(error))
    }
    this.requests++
    if (this.down) return resume(Effect.fail(failures.down))
    if (this.running < this.threads) cancel = this.start(request)
    else if (this.queue.size < this.queueLimit) this.queue.add(request)
    else return resume(Effect.fail(failures.queueFull))
    return Effect.sync(() => {
      request.gone = true
      if (!this.cancels) return
      if (this.queue.delete(request)) return
      cancel?.()
    })
  })

  private start(request: Request): () => void {
    this.running++
    const fails = this.random() < this.failureShare
    const done = () => {
      this.running--
      this.next()
    }
    const took = this.serviceTime(this.running)(this.random)
    this.begun++
    this.work += took
    const stop = this.time.after(took, () => {
      done()
      if (!request.gone) request.answer(fails ? failures.error : undefined)
    })
    return () => {
      stop()
      done()
    }
  }

  private next(): void {
    for (const request of this.queue) {
      this.queue.delete(request)
      this.start(request)
      return
    }
  }
}

/**
 * A server in the simulation that this runs in.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<SimulatedServer> =>
  Effect.gen(function*() {
    const time = yield* Simulation.time
    const random = yield* Random.Random
    return new Model(options, time, () => random.nextDoubleUnsafe())
  })
