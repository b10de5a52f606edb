/**
 * Messages of channels as a stream, on a connection of its own.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { RedisError } from "../RedisError.ts"
import { type Failure, type Parts, reserve, sendOn } from "./client.ts"
import { type Connection, probe } from "./connection.ts"
import { lost } from "./driverError.ts"

/**
 * What was published. `pattern` is the one that matched, where one was asked for.
 *
 * @since 0.1.0
 * @category models
 */
export interface Message {
  readonly channel: string
  readonly message: string
  readonly pattern: string | undefined
}

/**
 * What to listen to.
 *
 * @since 0.1.0
 * @category models
 */
export interface SubscribeOptions {
  /** Names of channels are patterns, as in `PSUBSCRIBE`. Default false. */
  readonly patterns?: boolean | undefined
  /** Beyond this many messages that wait to be taken the stream fails as `Lagged`. At least 1; default 1,024. */
  readonly bufferSize?: number | undefined
}

const DEFAULT_BUFFER = 1024

type Messages = Queue.Queue<Message, RedisError>

const listen = ({ driver }: Connection, queue: Messages, lagged: () => RedisError) => {
  const offer = (message: Message) => {
    if (!Queue.offerUnsafe(queue, message)) Queue.failCauseUnsafe(queue, Cause.fail(lagged()))
  }
  driver.on("message", (channel: string, message: string) => offer({ channel, message, pattern: undefined }))
  driver.on("pmessage", (pattern: string, channel: string, message: string) => offer({ channel, message, pattern }))
}

/** Notices the end of a connection on which nothing may come for long. */
const watch = ({ settings }: Parts, connection: Connection, queue: Messages): Effect.Effect<void> =>
  Effect.whileLoop({
    while: () => connection.isAlive,
    body: () =>
      Effect.andThen(
        Effect.timeoutOption(connection.disturbed, settings.interval),
        Effect.suspend(() => connection.isAlive ? probe(connection, settings.checkTimeout) : Effect.void)
      ),
    step: () => {}
  }).pipe(Effect.andThen(Effect.sync(() => {
    Queue.failCauseUnsafe(queue, Cause.fail(lost(settings, undefined, "no")))
  })))

/** Subscribed when this has ended; until the scope closes. */
export const open = (
  parts: Parts,
  channels: ReadonlyArray<string>,
  { bufferSize = DEFAULT_BUFFER, patterns = false }: SubscribeOptions = {}
): Effect.Effect<Messages, Failure, Scope.Scope> => {
  if (!Number.isSafeInteger(bufferSize) || bufferSize < 1) {
    throw new RangeError(`Option "bufferSize" is ${bufferSize}; allowed is a whole number of 1 or more.`)
  }
  return Effect.gen(function*() {
    const connection = yield* reserve(parts)
    connection.driver.activity.occupy()
    const queue = yield* Queue.dropping<Message, RedisError>(bufferSize)
    listen(connection, queue, () => new RedisError({ _tag: "Lagged", redis: parts.settings.name, bufferSize }))
    yield* Effect.addFinalizer(() => Queue.shutdown(queue))
    yield* Effect.forkScoped(watch(parts, connection, queue))
    yield* sendOn(parts, connection, "text", [patterns ? "PSUBSCRIBE" : "SUBSCRIBE", ...channels])
    return queue
  })
}

export const stream = (
  parts: Parts,
  channels: ReadonlyArray<string>,
  options: SubscribeOptions | undefined
): Stream.Stream<Message, Failure> => Stream.unwrap(Effect.map(open(parts, channels, options), Stream.fromQueue))
