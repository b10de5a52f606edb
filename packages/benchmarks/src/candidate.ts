/** What is measured: candidates that do the same work, gathered in cases, and the cases in groups. */
import * as Backends from "@breakwater/core/Backends"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import type { TrialCase } from "./trial.ts"

/**
 * One way of doing the work of a case. `run` does it so many times, and says of each how long it took where the case asks
 * for that.
 */
export interface Candidate {
  readonly name: string
  /**
   * `floor` is the same loop around nothing; its cost is taken off those of the candidates with the same `loop`. A `bound`
   * does a part of the work only: what all of it costs at least.
   */
  readonly role: "ours" | "peer" | "floor" | "bound"
  readonly loop: "promise" | "effect"
  /** What it is compared with. Default: the best peer. */
  readonly against?: string | undefined
  /** Operations in a round. Default: as many as fill it. */
  readonly times?: number | undefined
  readonly open: () => Promise<void>
  /** Gets ready for so many operations, before each run; its time does not count. */
  readonly prepare?: ((times: number) => Promise<void>) | undefined
  readonly run: (times: number, onLatency: (milliseconds: number) => void) => Promise<void>
  readonly close: () => Promise<void>
}

/** At most this ratio to that candidate, or at most so many nanoseconds. Shown, never asserted. */
export type Goal =
  | { readonly of: string; readonly atMost: number; readonly against: string }
  | { readonly of: string; readonly nanos: number }

export interface Case {
  readonly name: string
  readonly about: string
  readonly candidates: ReadonlyArray<Candidate>
  readonly goals?: ReadonlyArray<Goal> | undefined
  /**
   * What a round is measured by: the time that passes, or that of the processor, which other processes take nothing of, for
   * work that waits for nobody. Default `wall`.
   */
  readonly time?: "wall" | "cpu" | undefined
  /** `latency` shows how the single operations are spread. Default `cost`. */
  readonly shows?: "cost" | "throughput" | "latency" | undefined
}

export interface Group {
  readonly name: string
  readonly cases: Effect.Effect<ReadonlyArray<Case | TrialCase>, unknown, Scope.Scope>
}

export type Who = Pick<Candidate, "name" | "role" | "against" | "times">

export const ours: Who = { name: "Breakwater", role: "ours" }
export const peer = (name: string): Who => ({ name, role: "peer" })

/** One after the other: the only loop of this package that awaits. */
export const inTurn = async <A>(items: Iterable<A>, f: (item: A) => unknown): Promise<void> => {
  // oxlint-disable-next-line no-await-in-loop
  for (const item of items) await f(item)
}

const timed = async (op: () => Promise<unknown>, onLatency: (milliseconds: number) => void): Promise<void> => {
  const began = performance.now()
  await op()
  onLatency(performance.now() - began)
}

const promiseLoop = async (times: number, op: () => Promise<unknown>): Promise<void> => {
  // oxlint-disable-next-line no-await-in-loop
  for (let n = 0; n < times; n++) await op()
}

const effectLoop = <E>(times: number, op: () => Effect.Effect<unknown, E>): Effect.Effect<void, E> =>
  Effect.suspend(() => {
    let n = 0
    return Effect.whileLoop({ while: () => n < times, body: op, step: () => n++ })
  })

/** How a candidate is loaded. */
export interface Load {
  /** Who call at once, each one operation after the other. Default 1. */
  readonly users?: number | undefined
  readonly latencies?: boolean | undefined
}

/** `op` takes what `open` made. */
export const ofPromises = <S>(who: Who, parts: {
  readonly open: () => Promise<S>
  readonly op: (made: S) => () => Promise<unknown>
  readonly close: (made: S) => Promise<unknown>
}, load: Load = {}): Candidate => {
  const { latencies = false, users = 1 } = load
  let opened: { readonly made: S } | undefined
  return {
    ...who,
    loop: "promise",
    open: async () => {
      opened = { made: await parts.open() }
    },
    run: async (times, onLatency) => {
      if (opened === undefined) return
      const plain = parts.op(opened.made)
      const op = latencies ? () => timed(plain, onLatency) : plain
      await Promise.all(Array.from({ length: users }, () => promiseLoop(Math.ceil(times / users), op)))
    },
    close: async () => {
      if (opened !== undefined) await parts.close(opened.made)
    }
  }
}

/** What `open` makes is the operation; the scope is closed with the candidate. */
export const ofEffect = <E>(
  who: Who,
  open: Effect.Effect<() => Effect.Effect<unknown, E>, unknown, Scope.Scope>,
  load: Load = {}
): Candidate => {
  const { latencies = false, users = 1 } = load
  const scope = Scope.makeUnsafe()
  let op: () => Effect.Effect<unknown, E> = () => Effect.void
  return {
    ...who,
    loop: "effect",
    open: async () => {
      const alone = Effect.provide(Backends.isolated(open), Logger.layer([]))
      op = await Effect.runPromise(Scope.provide(alone, scope))
    },
    run: (times, onLatency) => {
      const loop = effectLoop(Math.ceil(times / users), latencies ? () => timedEffect(op, onLatency) : op)
      if (users === 1) return Effect.runPromise(loop)
      return Effect.runPromise(Effect.forEach(Array.from({ length: users }), () => loop, {
        concurrency: "unbounded",
        discard: true
      }))
    },
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const timedEffect = <E>(op: () => Effect.Effect<unknown, E>, onLatency: (milliseconds: number) => void) =>
  Effect.suspend(() => {
    const began = performance.now()
    return Effect.map(op(), () => onLatency(performance.now() - began))
  })

/** The loops around nothing. `hold` is what every user does in its turn. */
export const floors = (hold: Hold = nothing, load: Load = {}, times?: number): ReadonlyArray<Candidate> => [
  ofPromises({ name: "loop of promises", role: "floor", times }, {
    open: async () => undefined,
    op: () => async () => {
      const held = hold.promise()
      if (held !== undefined) await held
    },
    close: async () => undefined
  }, load),
  ofEffect({ name: "loop in a fiber", role: "floor", times }, Effect.succeed(() => hold.effect), load)
]

/** What a user does with a connection, for both kinds of loops. */
export interface Hold {
  readonly promise: () => Promise<void> | undefined
  readonly effect: Effect.Effect<void>
}

export const nothing: Hold = { promise: () => undefined, effect: Effect.void }
