/**
 * The pool for code outside Effect: the same pool, with promises that reject with the same typed errors, and an
 * `AbortSignal` for every wait.
 *
 * ```ts
 * import { PoolError, PromisePool } from "@breakwater/core"
 *
 * let opened = 0
 * await using pool = await PromisePool.start({
 *   name: "workers",
 *   open: async () => ({ id: ++opened, double: async (n: number) => 2 * n }),
 *   close: (worker) => console.log("closed", worker.id),
 *   size: { max: 2 }
 * })
 *
 * console.log(await pool.run((worker) => worker.double(21))) // => 42
 *
 * try {
 *   await using first = await pool.acquire()
 *   await using second = await pool.acquire({ signal: AbortSignal.timeout(1000) })
 *   console.log(first.item.id, second.item.id) // => 1 2
 *   await pool.run(() => "never", { timeout: "20 millis" })
 * } catch (error) {
 *   if (PoolError.isPoolError(error)) console.log(error.reason._tag) // => AcquireTimeout
 * }
 * // => closed 1
 * // => closed 2
 * ```
 *
 * Gotchas: a promise cannot be interrupted. Work whose signal aborts has 100 milliseconds to settle; its connection is
 * closed if it does not, and never lent to another meanwhile. Nor does it know what it runs inside of: a borrow inside
 * another one, which an effect would be told of as `NestedAcquire`, is ended by its deadline. Options that are not allowed
 * throw by the call, wherever they are given.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { runPromise } from "../internal/runPromise.ts"
import { acquireOf, questionOf, workOn } from "./internal/promises.ts"
import * as Pool from "./Pool.ts"
import type { PoolError } from "./PoolError.ts"
import type { CloseReason, PoolEvent } from "./PoolEvent.ts"

/**
 * Settings of one call.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunOptions {
  /** Ends the call; the promise then rejects with its reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Settings of one borrow.
 *
 * @since 0.1.0
 * @category models
 */
export interface BorrowOptions extends RunOptions, Pool.UseOptions {}

/**
 * Those of `Pool.Options`, with functions in place of effects.
 *
 * @since 0.1.0
 * @category models
 */
export interface FunctionOptions<A>
  extends Omit<Pool.Options<A, unknown, never>, "acquire" | "check" | "onReturn" | "cancel">
{
  /**
   * Opens a connection. The signal aborts when the time of the dial is over or the pool ends. What is opened nevertheless
   * is closed.
   */
  readonly open: (signal: AbortSignal) => PromiseLike<A>
  /** Closes it, in five seconds at most. Nobody hears of a failure. */
  readonly close?: ((item: A) => unknown) | undefined
  readonly check?:
    | Omit<NonNullable<Pool.Options<A, unknown, never>["check"]>, "test"> & {
      /** Says by resolving that a connection that has been idle may be lent. */
      readonly test?: ((item: A, signal: AbortSignal) => PromiseLike<unknown>) | undefined
    }
    | undefined
  /** As `onReturn` of `Pool.Options`: a rejection closes the connection. */
  readonly onReturn?: ((item: A, signal: AbortSignal) => PromiseLike<unknown>) | undefined
  /** As `cancel` of `Pool.Options`. A rejection is as good as an end. */
  readonly cancel?: ((item: A) => PromiseLike<unknown>) | undefined
}

/**
 * A borrowed connection. Give it back once: disposing of it does.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lease<A> extends AsyncDisposable {
  readonly item: A
  /** Releasing twice is releasing once. */
  readonly release: () => Promise<void>
}

/**
 * A pool that runs until `close`.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromisePool<A> extends AsyncDisposable {
  /** The same pool as effects take it, for what is not here. */
  readonly pool: Pool.Pool<A>
  /**
   * Borrows for as long as the promise of `work` is pending; resolves and rejects as it does. Rejects as `Pool.use` fails
   * when no connection was lent or it was cut. The signal that `work` is given is that of the call.
   */
  readonly run: <B>(work: (item: A, signal: AbortSignal) => B | PromiseLike<B>, options?: BorrowOptions) => Promise<B>
  /** Borrows until released. Rejects as `Pool.get` fails. */
  readonly acquire: (options?: BorrowOptions) => Promise<Lease<A>>
  /** As `Pool.invalidate`. */
  readonly invalidate: (item: A, reason?: CloseReason) => void
  readonly stats: () => Pool.Stats
  /** What happens while somebody iterates; ends with the pool. */
  readonly events: AsyncIterable<PoolEvent>
  /** As `Pool.warm`. */
  readonly warm: (options?: RunOptions) => Promise<void>
  /** As `Pool.drain`, with five seconds unless a `deadline` is given. The signal ends the wait, not the closing. */
  readonly close: (options?: CloseOptions) => Promise<Pool.DrainReport>
}

/**
 * How a pool is closed.
 *
 * @since 0.1.0
 * @category models
 */
export interface CloseOptions extends RunOptions {
  /** How long running work may go on. Default 5 seconds. */
  readonly deadline?: Duration.Input | undefined
}

/** Whatever has become of `effect`, and at whichever step it was stopped: what it opened is closed unless it succeeds. */
const runIn = async <A, E>(
  scope: Scope.Closeable,
  effect: Effect.Effect<A, E, Scope.Scope>,
  signal: AbortSignal | undefined
): Promise<A> => {
  try {
    return await runPromise(Scope.provide(effect, scope), signal)
  } catch (error) {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    throw error
  }
}

const lease = async <A>(
  borrow: Effect.Effect<A, PoolError, Scope.Scope>,
  signal: AbortSignal | undefined
): Promise<Lease<A>> => {
  const scope = Scope.makeUnsafe()
  const item = await runIn(scope, borrow, signal)
  const release = () => Effect.runPromise(Scope.close(scope, Exit.void))
  return { item, release, [Symbol.asyncDispose]: release }
}

const run = <A, B>(
  pool: Pool.Pool<A>,
  work: (item: A, signal: AbortSignal) => B | PromiseLike<B>,
  options: BorrowOptions | undefined
): Promise<B> => {
  const signal = options?.signal
  const borrowed = (item: A) => workOn(pool, item, (ending) => work(item, signal ?? ending))
  return runPromise(Pool.use(pool, borrowed, options), signal)
}

const toOptions = <A>(
  options: FunctionOptions<A> | Pool.Options<A, unknown, never>
): Pool.Options<A, unknown, never> => {
  if ("acquire" in options) return options
  const { cancel, check, close, onReturn, open, ...others } = options
  const test = check?.test
  return {
    ...others,
    acquire: acquireOf(open, close),
    check: { ...check, test: test && questionOf(test) },
    onReturn: onReturn && questionOf(onReturn),
    cancel: cancel && ((item) => Effect.ignore(questionOf(cancel)(item)))
  }
}

/**
 * Opens a pool for code outside Effect, of what functions open, or an effect that needs nothing but its scope. Throws as
 * `Pool.make`, by the call; rejects with what that fails with.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start: {
  <A>(options: FunctionOptions<A>, run?: RunOptions): Promise<PromisePool<A>>
  <A>(options: Pool.Options<A, unknown, never>, run?: RunOptions): Promise<PromisePool<A>>
} = <A>(options: FunctionOptions<A> | Pool.Options<A, unknown, never>, given?: RunOptions): Promise<PromisePool<A>> =>
  started(Pool.make(toOptions(options)), given)

const started = async <A, E>(
  make: Effect.Effect<Pool.Pool<A>, E, Scope.Scope>,
  options: RunOptions | undefined
): Promise<PromisePool<A>> => {
  const scope = Scope.makeUnsafe()
  const pool = await runIn(scope, make, options?.signal)
  const close = (given?: CloseOptions): Promise<Pool.DrainReport> => {
    const drained = Pool.drain(pool, given?.deadline ?? "5 seconds")
    const closing = Effect.runPromise(Effect.tap(drained, Scope.close(scope, Exit.void)))
    return runPromise(Effect.promise(() => closing), given?.signal)
  }
  return {
    pool,
    run: (work, given) => run(pool, work, given),
    acquire: (given) => lease(Pool.get(pool, given), given?.signal),
    invalidate: (item, reason) => Effect.runSync(Pool.invalidate(pool, item, reason)),
    stats: () => Effect.runSync(Pool.stats(pool)),
    events: Stream.toAsyncIterable(Pool.events(pool)),
    warm: (given) => runPromise(Pool.warm(pool), given?.signal),
    close,
    [Symbol.asyncDispose]: async () => void await close()
  }
}
