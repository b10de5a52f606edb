/**
 * What can go wrong with a command, beyond the pool and the policies, whose errors pass through as they are.
 *
 * No error carries arguments of commands or what the driver said of them: both may hold secrets.
 *
 * @since 0.1.0
 */
import * as Outcome from "@breakwater/core/Outcome"
import * as Data from "effect/Data"
import * as Predicate from "effect/Predicate"
import { hintOf, outcomeOfReply } from "./internal/replies.ts"

const TypeId = "~@breakwater/redis/RedisError"

/**
 * The server answered the command with an error.
 *
 * @since 0.1.0
 * @category models
 */
export interface ErrorReply {
  readonly _tag: "ErrorReply"
  /** Name of the backend. */
  readonly redis: string
  /** Such as `get`; unknown where the server spoke first. */
  readonly command: string | undefined
  /** Its first word: `ERR`, `WRONGTYPE`, `READONLY`, `LOADING`, `MOVED`, `OOM`, … */
  readonly code: string
  /** All of it, without the password of the connection. */
  readonly text: string
  /** It was not all that was asked: other commands of the pipeline, or of the function, may have been executed. */
  readonly partly?: true | undefined
}

/**
 * No connection could be opened; the `cause` of the pool's `Unavailable` and `AcquireTimeout`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectFailed {
  readonly _tag: "ConnectFailed"
  readonly redis: string
  /** The system's, such as `ECONNREFUSED`, or that of TLS. */
  readonly code: string | undefined
  readonly detail: string
}

/**
 * The connection went away. `sent` says whether the command can have reached the server.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionLost {
  readonly _tag: "ConnectionLost"
  readonly redis: string
  readonly command: string | undefined
  readonly sent: "no" | "unknown"
}

/**
 * The command was not sent, since it would harm whoever shares the connection, or wait without a bound.
 *
 * @since 0.1.0
 * @category models
 */
export interface Misused {
  readonly _tag: "Misused"
  readonly redis: string
  readonly command: string
  /** What to do instead. */
  readonly remedy: string
}

/**
 * A watched key was changed by somebody else before the transaction: nothing of it was executed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Conflict {
  readonly _tag: "Conflict"
  readonly redis: string
}

/**
 * A subscriber took messages more slowly than they came.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lagged {
  readonly _tag: "Lagged"
  readonly redis: string
  /** Messages that waited for it. */
  readonly bufferSize: number
}

/**
 * The promise of the program's own function was rejected, by something that is not Redis.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rejected {
  readonly _tag: "Rejected"
  readonly redis: string
  readonly cause: unknown
}

/**
 * Why a command failed.
 *
 * @since 0.1.0
 * @category models
 */
export type Reason = ErrorReply | ConnectFailed | ConnectionLost | Misused | Conflict | Lagged | Rejected

/**
 * The one error of this package. Match it by reason: `Effect.catchReason("RedisError", "ErrorReply", …)`.
 *
 * @since 0.1.0
 * @category errors
 */
export class RedisError extends Data.TaggedError("RedisError")<{
  readonly reason: Reason
  readonly cause?: unknown
}> implements Outcome.Carrier {
  /**
   * Marks the value for `isRedisError`.
   *
   * @since 0.1.0
   */
  readonly [TypeId] = TypeId

  constructor(reason: Reason) {
    super(reason._tag === "Rejected" ? { reason, cause: reason.cause } : { reason })
  }

  /**
   * What happened, and what to do about it.
   *
   * @since 0.1.0
   */
  override get message(): string {
    return messageOf(this.reason)
  }

  /**
   * How it counts for policies.
   *
   * @since 0.1.0
   */
  get outcome(): Outcome.Outcome {
    switch (this.reason._tag) {
      case "ErrorReply":
        return outcomeOfAnswer(this.reason)
      case "ConnectFailed":
        return Outcome.failure("no")
      case "ConnectionLost":
        return Outcome.failure(this.reason.sent)
      case "Conflict":
        return Outcome.success
      case "Misused":
        return Outcome.ignored("no")
      case "Lagged":
      case "Rejected":
        return Outcome.ignored("unknown")
    }
  }
}

const outcomeOfAnswer = ({ code, partly, text }: ErrorReply): Outcome.Outcome => {
  const outcome = outcomeOfReply(code, text)
  return partly === true && outcome._tag !== "Success" ? { ...outcome, sent: "yes" } : outcome
}

/**
 * Whether a value is a `RedisError`.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRedisError = (u: unknown): u is RedisError => Predicate.hasProperty(u, TypeId)

const messageOf = (reason: Reason): string => {
  const redis = `Redis "${reason.redis}"`
  switch (reason._tag) {
    case "ErrorReply": {
      const to = reason.command === undefined ? "" : ` to ${reason.command.toUpperCase()}`
      const others = reason.partly === true ? ". Other commands of the same call may have been executed." : ""
      return `${redis} answered${to}: ${reason.text}${hintOf(reason.code)}${others}`
    }
    case "ConnectFailed":
      return `${redis} cannot be reached: ${reason.detail}`
    case "ConnectionLost":
      return reason.sent === "no"
        ? `${redis} lost the connection before the command was sent. Repeating it is safe.`
        : `${redis} lost the connection under the command. Find out whether it took effect before repeating it.`
    case "Misused":
      return `${redis} did not send ${reason.command.toUpperCase()}: ${reason.remedy}`
    case "Conflict":
      return `${redis}: a watched key was changed before the transaction. Nothing of it was executed: repeat all of it.`
    case "Lagged":
      return `${redis}: a subscriber left more than ${reason.bufferSize} messages waiting. ` +
        "Take them faster, or allow more."
    case "Rejected":
      return `${redis}: the function that used a connection was rejected`
  }
}
