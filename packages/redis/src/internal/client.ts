/**
 * Commands: on a connection that is shared, or on one of one's own.
 *
 * @internal
 */
import { measured, type Operations as Measured } from "@breakwater/core/Backend"
import * as Operation from "@breakwater/core/Operation"
import * as Policy from "@breakwater/core/Policy"
import { type AttemptTimeout, PolicyError } from "@breakwater/core/PolicyError"
import * as Pool from "@breakwater/core/Pool"
import type { PoolError } from "@breakwater/core/PoolError"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { ChainableCommander, Redis as IoRedis } from "ioredis"
import { isRedisError, RedisError } from "../RedisError.ts"
import { blocksFor, isIdempotent } from "./commands.ts"
import type { Connection } from "./connection.ts"
import { amongOthers, errorText, fromCommand, fromDriver, isAmongOthers, lost, noteAmongOthers } from "./driverError.ts"
import type { Operations } from "./operations.ts"
import { isOfReplica, spoilsConnection } from "./replies.ts"
import type { Policies, Settings } from "./settings.ts"
import type { Shared } from "./shared.ts"

/**
 * What a call can fail with.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure = RedisError | PoolError | PolicyError

/**
 * An argument of a command.
 *
 * @since 0.1.0
 * @category models
 */
export type Argument = string | number | Buffer

/**
 * A command and its arguments.
 *
 * @since 0.1.0
 * @category models
 */
export type Command = readonly [name: string, ...args: ReadonlyArray<Argument>]

export interface Parts {
  readonly pool: Pool.Pool<Connection>
  readonly shared: Shared
  readonly settings: Settings
  readonly policies: Policies
  readonly operations: Operations
  /** Commands that do not block. */
  readonly sent: Measured
}

/** How replies come: as text, or as they are. */
export type Replies = "text" | "buffers"

/** How often a call that found its connection gone is given another, within one attempt. */
const OTHER_CONNECTIONS = 2

const isUnsent = (error: unknown): boolean =>
  isRedisError(error) && error.reason._tag === "ConnectionLost" && error.reason.sent === "no" && !isAmongOthers(error)

/** A server that has become another thing than it was is left, and dialled again. */
const heed = ({ shared }: Parts, connection: Connection, error: RedisError): RedisError => {
  if (error.reason._tag !== "ErrorReply") return error
  const { code } = error.reason
  if (isOfReplica(code)) shared.misled(connection)
  else if (spoilsConnection(code)) connection.retire()
  return error
}

const perform = <A>(
  parts: Parts,
  connection: Connection,
  command: string | undefined,
  send: () => Promise<A>
): Effect.Effect<A, RedisError> =>
  Effect.tryPromise({
    try: send,
    catch: (error) => heed(parts, connection, fromCommand(parts.settings, command, error))
  })

const call = <A>(driver: IoRedis, replies: Replies, [name, ...args]: Command): Promise<A> => {
  const reply = replies === "text" ? driver.call(name, args) : driver.callBuffer(name, args)
  // The reply is what the server says it is: only the program knows its type.
  return reply as Promise<A>
}

const onShared = <A, E, R>(
  { policies, sent, shared }: Parts,
  operation: Operation.Operation,
  work: (connection: Connection) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | PoolError | PolicyError, R> =>
  Policy.run(policies.shared, operation, (attempt: Policy.Attempt<PolicyError<AttemptTimeout>>) =>
    Effect.retry(
      shared.use((connection) => attempt(measured(work(connection), sent))),
      { times: OTHER_CONNECTIONS, while: isUnsent }
    ))

const described = (
  { operations }: Parts,
  name: string,
  idempotent: boolean,
  context: Context.Context<never>
): Operation.Operation => operations.of(name, idempotent || Operation.isMarkedIdempotent(context))

/** One command. One that blocks gets a connection of its own. */
export const send = <A>(parts: Parts, replies: Replies, command: Command): Effect.Effect<A, Failure> =>
  Effect.withFiber((fiber) => {
    const [given, ...args] = command
    const name = given.toLowerCase()
    if (blocksFor(name, args) !== undefined) {
      return Effect.scoped(Effect.flatMap(reserve(parts), (reserved) => sendOn<A>(parts, reserved, replies, command)))
    }
    const operation = described(parts, name, isIdempotent(name, args), fiber.context)
    return onShared(
      parts,
      operation,
      (connection) => perform(parts, connection, name, () => call<A>(connection.driver, replies, command))
    )
  })

/** One command on a connection of one's own. */
export const sendOn = <A>(
  parts: Parts,
  connection: Connection,
  replies: Replies,
  command: Command
): Effect.Effect<A, RedisError | PolicyError> => {
  const [given, ...args] = command
  const name = given.toLowerCase()
  const work = perform(parts, connection, name, () => call<A>(connection.driver, replies, command))
  const block = blocksFor(name, args)
  return block === undefined ? held(parts, name, work) : blocking(parts, name, block, work)
}

const held = <A, E>(parts: Parts, name: string, work: Effect.Effect<A, E>): Effect.Effect<A, E | PolicyError> =>
  Policy.apply(measured(work, parts.sent), parts.policies.held, parts.operations.of(name, false))

/** The server holds back the answer for a time of its own, to which the time of any other command is added. */
const blocking = <A>(
  { operations, policies, settings }: Parts,
  name: string,
  block: number,
  work: Effect.Effect<A, RedisError>
): Effect.Effect<A, RedisError | PolicyError> => {
  if (!(block > 0)) {
    const remedy = "it would wait without a bound. Give it a time to block, and repeat it when that has passed."
    return Effect.fail(new RedisError({ _tag: "Misused", redis: settings.name, command: name, remedy }))
  }
  const { timeout = Duration.infinity } = Policy.limits(policies.held)
  const duration = Duration.sum(Duration.millis(block), timeout)
  return Effect.timeoutOrElse(work, {
    duration,
    orElse: () =>
      Effect.fail(
        new PolicyError({
          _tag: "AttemptTimeout",
          operation: operations.of(name, false).name,
          timeout: duration,
          attempt: 1,
          sent: "unknown"
        })
      )
  })
}

/** A connection of one's own until the scope closes. It is closed, not lent again, unless it comes back as it was. */
export const reserve = (parts: Parts): Effect.Effect<Connection, PoolError | PolicyError, Scope.Scope> => {
  const { operations, policies, pool, settings, shared } = parts
  return Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.scope, (scope) => {
      const label = `${settings.name}.reserve`
      const borrowed = Effect.andThen(shared.queueHasRoom, Scope.provide(Pool.get(pool, { label }), scope))
      return restore(
        // The attempt is never begun: whatever fails, nothing was sent.
        Policy.run(policies.reserving, operations.of("reserve", true), (_attempt) => borrowed)
      ).pipe(
        Effect.tap((connection) => {
          shared.lent(connection)
          return Effect.addFinalizer(() =>
            connection.driver.isClean
              ? Effect.void
              : Effect.andThen(
                Pool.invalidate(pool, connection, "Invalidated"),
                Effect.sync(() => connection.destroy())
              )
          )
        })
      )
    })
  )
}

const add = (pipeline: ChainableCommander, [name, ...args]: Command): ChainableCommander => pipeline.call(name, args)

type Answers = Array<readonly [error: Error | null, reply: unknown]> | null

const execute = async (driver: IoRedis, commands: ReadonlyArray<Command>, atomic: boolean): Promise<Answers> => {
  const pipeline = atomic ? driver.multi() : driver.pipeline()
  for (const command of commands) add(pipeline, command)
  return pipeline.exec()
}

/** The replies, or the first error among them. */
const repliesOf = (
  { settings }: Parts,
  commands: ReadonlyArray<Command>,
  answers: Exclude<Answers, null>
): Effect.Effect<ReadonlyArray<unknown>, RedisError> => {
  const failures = answers.map(([error], at) =>
    error === null ? undefined : fromCommand(settings, commands[at]?.[0].toLowerCase(), error)
  )
  const first = failures.find((failure) => failure !== undefined)
  if (first === undefined) return Effect.succeed(answers.map(([, reply]) => reply))
  return Effect.fail(failures.every(isUnexecuted) ? first : amongOthers(first))
}

const isUnexecuted = (failure: RedisError | undefined): boolean =>
  failure !== undefined && failure.outcome._tag !== "Success" && failure.outcome.sent === "no"

const batch = (parts: Parts, connection: Connection, commands: ReadonlyArray<Command>, atomic: boolean) =>
  perform(parts, connection, atomic ? "multi" : undefined, () => execute(connection.driver, commands, atomic)).pipe(
    Effect.flatMap((answers): Effect.Effect<ReadonlyArray<unknown>, RedisError> =>
      answers === null
        ? Effect.fail(new RedisError({ _tag: "Conflict", redis: parts.settings.name }))
        : Effect.mapError(repliesOf(parts, commands, answers), (error) => heed(parts, connection, error))
    )
  )

/** Several commands in one go. */
export const pipeline = (
  parts: Parts,
  commands: ReadonlyArray<Command>,
  atomic: boolean
): Effect.Effect<ReadonlyArray<unknown>, Failure> =>
  Effect.withFiber((fiber) => {
    if (commands.length === 0) return Effect.succeed([])
    const idempotent = commands.every(([name, ...args]) => isIdempotent(name.toLowerCase(), args))
    const operation = described(parts, atomic ? "multi" : "pipeline", idempotent, fiber.context)
    return onShared(parts, operation, (connection) => batch(parts, connection, commands, atomic))
  })

/** WATCH, what the program reads and decides, and EXEC, on one connection. */
export const transaction = <E, R>(
  parts: Parts,
  watch: ReadonlyArray<string>,
  decide: (connection: Connection) => Effect.Effect<ReadonlyArray<Command>, E, R>
): Effect.Effect<ReadonlyArray<unknown>, E | Failure, R> =>
  Effect.scopedWith((scope) =>
    Effect.gen(function*() {
      const connection = yield* Scope.provide(reserve(parts), scope)
      if (watch.length > 0) yield* sendOn(parts, connection, "text", ["WATCH", ...watch])
      const commands = yield* decide(connection)
      return yield* held(parts, "exec", batch(parts, connection, commands, true))
    })
  )

type Used<A, E, R> = Effect.Effect<A, E, R> | Promise<A>

/** Lends a shared connection to a function of the program's. */
export const use = <A, E, R>(
  parts: Parts,
  f: (driver: IoRedis, signal: AbortSignal) => Used<A, E, R>
): Effect.Effect<A, E | Failure, R> =>
  Effect.withFiber((fiber) =>
    onShared(parts, described(parts, "use", false, fiber.context), (connection) => useOn(parts, connection, f))
  )

const useOn = <A, E, R>(
  parts: Parts,
  connection: Connection,
  f: (driver: IoRedis, signal: AbortSignal) => Used<A, E, R>
): Effect.Effect<A, E | RedisError, R> =>
  Effect.suspend(() => {
    const { settings } = parts
    if (!connection.isAlive) return Effect.fail(lost(settings, undefined, "no"))
    const controller = new AbortController()
    const { driver } = connection
    const before = driver.written
    // Whose commands those were cannot be told where others use the connection, too.
    const isPart = (error: unknown): boolean => {
      const itself = errorText(error) === undefined ? 0 : 1
      return driver.written - before > itself
    }
    // An error of the program's own stays what it is.
    const noted = (error: E): E => {
      if (isPart(error)) noteAmongOthers(error)
      return error
    }
    const failure = (cause: unknown): RedisError => {
      const error = fromDriver(settings, undefined, cause)
      if (error === undefined) return new RedisError({ _tag: "Rejected", redis: settings.name, cause })
      heed(parts, connection, error)
      return isPart(cause) ? amongOthers(error) : error
    }
    const begin = (): Used<A, E, R> => {
      const used = f(driver, controller.signal)
      // The fiber may yield or be interrupted before it listens, and a rejection that nobody hears ends the process.
      if (!Effect.isEffect(used)) used.then(undefined, () => {})
      return used
    }
    return Effect.try({ try: begin, catch: failure }).pipe(
      Effect.flatMap((used): Effect.Effect<A, E | RedisError, R> =>
        Effect.isEffect(used) ? Effect.mapError(used, noted) : Effect.tryPromise({ try: () => used, catch: failure })
      ),
      Effect.onExit((exit) =>
        Effect.sync(() => {
          if (exit._tag === "Failure" && Cause.hasInterrupts(exit.cause)) controller.abort()
        })
      )
    )
  })
