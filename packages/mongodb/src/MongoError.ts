/**
 * What can go wrong at MongoDB and on the way to it. Errors of the pool (no connection in time, a full queue, an end)
 * are `PoolError`s, those of policies `PolicyError`s.
 *
 * `sent` speaks of the whole function given to `use`: where an earlier operation of it was begun, it is never `"no"`,
 * since repeating the function would repeat that one too.
 *
 * @since 0.1.0
 */
import * as Outcome from "@breakwater/core/Outcome"
import type { PoolError } from "@breakwater/core/PoolError"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"

const TypeId = "~@breakwater/mongodb/MongoError"

/**
 * What most reasons have in common. `labels` are the error labels of server and driver; `cause` is the driver's error.
 *
 * @since 0.1.0
 * @category models
 */
export interface Common {
  /** Name of the backend. */
  readonly pool: string
  readonly labels: ReadonlyArray<string>
  readonly cause: unknown
}

/**
 * An answer of the server that says no.
 *
 * @since 0.1.0
 * @category models
 */
export interface Answer extends Common {
  /** Such as 11000. */
  readonly code: number | undefined
  /** Such as `DuplicateKey`. */
  readonly codeName: string | undefined
}

/**
 * No server that could do the work was found within `serverSelectionTimeoutMS`: none can be reached, none is primary,
 * or none has the tags asked for. `servers` says of each address why not.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerSelection extends Common {
  readonly _tag: "ServerSelection"
  readonly servers: ReadonlyArray<{ readonly address: string; readonly why: string | undefined }>
  readonly sent: Outcome.Sent
}

/**
 * The connection could not be made, or was lost.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionLost extends Common {
  readonly _tag: "ConnectionLost"
  readonly sent: Outcome.Sent
}

/**
 * User, password or mechanism were refused.
 *
 * @since 0.1.0
 * @category models
 */
export interface Authentication extends Answer {
  readonly _tag: "Authentication"
  readonly sent: Outcome.Sent
}

/**
 * The server is not the primary (any more), or is about to go away. The driver looks for the new one by itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface NotPrimary extends Answer {
  readonly _tag: "NotPrimary"
  readonly sent: Outcome.Sent
}

/**
 * The server sheds load. `retryAfter` where it said when to come back.
 *
 * @since 0.1.0
 * @category models
 */
export interface Overloaded extends Answer {
  readonly _tag: "Overloaded"
  readonly sent: Outcome.Sent
  readonly retryAfter: Duration.Duration | undefined
}

/**
 * The server ended the operation, since `maxTimeMS` was over.
 *
 * @since 0.1.0
 * @category models
 */
export interface TimeLimit extends Answer {
  readonly _tag: "TimeLimit"
}

/**
 * A unique index has the key already.
 *
 * @since 0.1.0
 * @category models
 */
export interface DuplicateKey extends Answer {
  readonly _tag: "DuplicateKey"
}

/**
 * The write was done at the primary, and not confirmed as widely as the write concern asks.
 *
 * @since 0.1.0
 * @category models
 */
export interface WriteConcern extends Answer {
  readonly _tag: "WriteConcern"
}

/**
 * The transaction was aborted, by a conflict with another for instance. Nothing of it was committed: repeat all of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransactionAborted extends Answer {
  readonly _tag: "TransactionAborted"
}

/**
 * The commit got no answer: the transaction is committed, or it is not. Committing again is safe; the function given to
 * `use` is not the commit alone, so it is never repeated for this.
 *
 * @since 0.1.0
 * @category models
 */
export interface CommitUnknown extends Common {
  readonly _tag: "CommitUnknown"
}

/**
 * Any other answer of the server that says no: a command that is wrong, a right that is missing, a document that does
 * not validate.
 *
 * @since 0.1.0
 * @category models
 */
export interface Command extends Answer {
  readonly _tag: "Command"
}

/**
 * Behind the server that answered, another could not be reached: a shard behind a router.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerFailed extends Answer {
  readonly _tag: "ServerFailed"
}

/**
 * A later operation of the function got no connection, and what came before it was done. `cause` says why.
 *
 * @since 0.1.0
 * @category models
 */
export interface Incomplete {
  readonly _tag: "Incomplete"
  readonly pool: string
  readonly cause: PoolError
}

/**
 * The function rejected with something that is no failure of the server: an error of its own, or the driver's refusal
 * of a call that is not valid.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rejected {
  readonly _tag: "Rejected"
  readonly pool: string
  readonly cause: unknown
}

/**
 * Why the work failed.
 *
 * @since 0.1.0
 * @category models
 */
export type Reason =
  | ServerSelection
  | ConnectionLost
  | Authentication
  | NotPrimary
  | Overloaded
  | TimeLimit
  | DuplicateKey
  | WriteConcern
  | TransactionAborted
  | CommitUnknown
  | Command
  | ServerFailed
  | Incomplete
  | Rejected

/**
 * The one error of this package. Match it by reason.
 *
 * @since 0.1.0
 * @category errors
 */
export class MongoError extends Data.TaggedError("MongoError")<{
  readonly reason: Reason
  readonly cause?: unknown
}> implements Outcome.Carrier {
  /**
   * Marks the value for `isMongoError`.
   *
   * @since 0.1.0
   */
  readonly [TypeId] = TypeId

  constructor(reason: Reason) {
    super({ reason, cause: reason.cause })
  }

  /**
   * What happened, and what to do about it.
   *
   * @since 0.1.0
   */
  override get message(): string {
    return `MongoDB "${this.reason.pool}" ${messageOf(this.reason)}`
  }

  /**
   * How it counts for policies: what the server enforces shows that it is well.
   *
   * @since 0.1.0
   */
  get outcome(): Outcome.Outcome {
    return outcomeOf(this.reason)
  }
}

/**
 * Whether a value is a `MongoError`.
 *
 * @since 0.1.0
 * @category guards
 */
export const isMongoError = (u: unknown): u is MongoError => Predicate.hasProperty(u, TypeId)

const outcomeOf = (reason: Reason): Outcome.Outcome => {
  switch (reason._tag) {
    case "ServerSelection":
    case "ConnectionLost":
    case "Authentication":
    case "NotPrimary":
      return Outcome.failure(reason.sent)
    case "Overloaded":
      return Outcome.overload(reason.sent, reason.retryAfter)
    case "TimeLimit":
    case "WriteConcern":
    case "ServerFailed":
      return Outcome.failure("yes")
    case "CommitUnknown":
      return Outcome.failure("unknown")
    case "DuplicateKey":
    case "TransactionAborted":
    case "Command":
      return Outcome.success
    case "Incomplete":
      return reason.cause.outcome._tag === "Failure" ? Outcome.failure("yes") : Outcome.ignored("yes")
    case "Rejected":
      return Outcome.ignored("unknown")
  }
}

const repetition = (sent: Outcome.Sent): string =>
  sent === "no" ? "Nothing was sent: repeating it is safe." : "Find out what took effect before repeating it."

const said = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)

const named = ({ code, codeName }: Answer): string => [codeName, code].filter((part) => part !== undefined).join(" ")

const messageOf = (reason: Reason): string => {
  switch (reason._tag) {
    case "ServerSelection":
      return `found no server for the work (${
        reason.servers.map(({ address, why }) => `${address}: ${why ?? "does not fit"}`).join("; ")
      }). Make one reachable; the driver keeps looking.`
    case "ConnectionLost":
      return `lost the connection: ${said(reason.cause)}. ${repetition(reason.sent)}`
    case "Authentication":
      return `was refused by the server (${named(reason)}): check user, password and authSource.`
    case "NotPrimary":
      return `met a server that is no primary (${named(reason)}). ${repetition(reason.sent)}`
    case "Overloaded":
      return "met an overloaded server" +
        (reason.retryAfter === undefined ? "" : `, which asks for ${Duration.format(reason.retryAfter)}`) +
        `. Send less. ${repetition(reason.sent)}`
    case "TimeLimit":
      return `took longer at the server than it was given (${named(reason)}). Look for a missing index, or allow more.`
    case "DuplicateKey":
      return `has that key already: ${said(reason.cause)}`
    case "WriteConcern":
      return `wrote, but not as widely as was asked (${named(reason)}): ${said(reason.cause)}`
    case "TransactionAborted":
      return `aborted the transaction (${named(reason)}). Nothing of it was committed: repeat all of it.`
    case "CommitUnknown":
      return "did not answer the commit. Find out whether it was done before repeating the transaction."
    case "Command":
      return `refused the command (${named(reason)}): ${said(reason.cause)}`
    case "ServerFailed":
      return `could not do it behind the server that answered (${named(reason)}): ${said(reason.cause)}`
    case "Incomplete":
      return `stopped half way, and what came before was done: ${reason.cause.message}`
    case "Rejected":
      return `was given a function that failed by itself: ${said(reason.cause)}`
  }
}
