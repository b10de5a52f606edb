/**
 * The driver's errors in words that a caller can decide by.
 *
 * @internal
 */
import type * as Outcome from "@breakwater/core/Outcome"
import { isPoolError, type PoolError } from "@breakwater/core/PoolError"
import * as Duration from "effect/Duration"
import * as Driver from "mongodb"
import { type Answer, type Common, isMongoError, MongoError } from "../MongoError.ts"

/** What is known of the call beside its error. */
export interface Circumstances {
  readonly pool: string
  /** Check-outs that the call has begun, that of the failed operation included where it came so far. */
  readonly started: number
  readonly timedOut: () => PoolError
  /** The backend's end, where that is under way. */
  readonly ended: () => PoolError | undefined
}

/** Refused before anything was done. */
const REFUSED_AS_SECONDARY = new Set([10_107, 13_435, 10_058])

/** A server on its way out, which may have done it. */
const GOING_AWAY = new Set([91, 189, 11_600, 11_602, 13_436])

const UNREACHABLE_BEHIND = new Set([6, 7, 89, 133, 202, 9001])

const DUPLICATE_KEY = new Set([11_000, 11_001, 12_582])

const TIME_LIMIT = new Set([50, 262])

const AUTHENTICATION = new Set([18, 8000])

const LOST = new Set<unknown>(["ECONNRESET", "EPIPE", "ECONNABORTED", "ETIMEDOUT"])
const IO = new Set<unknown>(["read", "write"])

/** Not exported by the driver, so known by their names. */
const CLOSED = new Set([
  "MongoPoolClosedError",
  "MongoTopologyClosedError",
  "MongoServerClosedError",
  "MongoClientClosedError",
  "MongoNotConnectedError"
])

const has = (error: Driver.MongoError, label: string): boolean => error.hasErrorLabel(label)

/** `sent` of the failed operation, seen from the whole call: what came before it was sent in any case. */
const whole = (sent: Outcome.Sent, { started }: Circumstances, own: 0 | 1): Outcome.Sent =>
  sent === "no" && started > own ? "unknown" : sent

const common = (error: Driver.MongoError, { pool }: Circumstances): Common => ({
  pool,
  labels: error.errorLabels,
  cause: error
})

const servers = ({ reason }: Driver.MongoServerSelectionError) =>
  Array.from(reason?.servers.values() ?? [], ({ address, error }) => ({ address, why: error?.message }))

/** Somebody else's failure has emptied the pool before this operation got a connection of it. */
const isCleared = (error: Driver.MongoError): boolean => error.name === "MongoPoolClearedError"

/** The same would have befallen this operation. */
const isRefusedUser = (cause: unknown): cause is Driver.MongoServerError =>
  cause instanceof Driver.MongoServerError && typeof cause.code === "number" && AUTHENTICATION.has(cause.code)

const fromNetwork = (error: Driver.MongoNetworkError, circumstances: Circumstances): MongoError => {
  const known = common(error, circumstances)
  if (has(error, "UnknownTransactionCommitResult")) return new MongoError({ ...known, _tag: "CommitUnknown" })
  const unsent = isCleared(error) || has(error, "HandshakeError") ||
    has(error, "NoWritesPerformed") || Reflect.get(error, "beforeHandshake") === true // which has no type
  return new MongoError({
    ...known,
    _tag: "ConnectionLost",
    sent: whole(unsent ? "no" : "unknown", circumstances, 1)
  })
}

const overloaded = (error: Driver.MongoServerError, answer: Answer, circumstances: Circumstances): MongoError => {
  const backoff = Number(error.errorResponse["baseBackoffMS"] ?? NaN)
  return new MongoError({
    ...answer,
    _tag: "Overloaded",
    // By this label the server says that it has not begun.
    sent: whole(has(error, "RetryableError") ? "no" : "unknown", circumstances, 1),
    retryAfter: backoff > 0 ? Duration.millis(backoff) : undefined
  })
}

const fromServer = (error: Driver.MongoServerError, circumstances: Circumstances): MongoError => {
  const { code, codeName } = error
  const answer: Answer = {
    ...common(error, circumstances),
    code: typeof code === "number" ? code : undefined,
    codeName: typeof codeName === "string" ? codeName : undefined
  }
  const is = (codes: ReadonlySet<number>): boolean => answer.code !== undefined && codes.has(answer.code)
  if (has(error, "UnknownTransactionCommitResult")) return new MongoError({ ...answer, _tag: "CommitUnknown" })
  // Before the code: that is the reason why it was not confirmed, and the write was done.
  if (error instanceof Driver.MongoWriteConcernError) return new MongoError({ ...answer, _tag: "WriteConcern" })
  if (has(error, "SystemOverloadedError")) return overloaded(error, answer, circumstances)
  if (is(REFUSED_AS_SECONDARY)) {
    return new MongoError({ ...answer, _tag: "NotPrimary", sent: whole("no", circumstances, 1) })
  }
  if (is(GOING_AWAY)) return new MongoError({ ...answer, _tag: "NotPrimary", sent: "unknown" })
  if (has(error, "TransientTransactionError")) return new MongoError({ ...answer, _tag: "TransactionAborted" })
  if (is(DUPLICATE_KEY)) return new MongoError({ ...answer, _tag: "DuplicateKey" })
  if (is(TIME_LIMIT)) return new MongoError({ ...answer, _tag: "TimeLimit" })
  if (is(UNREACHABLE_BEHIND)) return new MongoError({ ...answer, _tag: "ServerFailed" })
  if (is(AUTHENTICATION) || has(error, "HandshakeError")) {
    return new MongoError({ ...answer, _tag: "Authentication", sent: whole("no", circumstances, 1) })
  }
  return new MongoError({ ...answer, _tag: "Command" })
}

const fromPool = (error: PoolError, { pool, started }: Circumstances): PoolError | MongoError =>
  started > 1 ? new MongoError({ _tag: "Incomplete", pool, cause: error }) : error

/**
 * Where the other end of a socket was gone just before a write, mongodb 7.8 rejects with the socket's own error, and not
 * with one of its own. What a system call failed on may have been sent before; what Node refused to write after the
 * other end's goodbye, which names no system call, was not.
 */
const sentOfSocketError = (error: unknown): Outcome.Sent | undefined => {
  if (!(error instanceof Error && "code" in error)) return undefined
  if ("syscall" in error) return LOST.has(error.code) && IO.has(error.syscall) ? "unknown" : undefined
  return error.code === "EPIPE" ? "no" : undefined
}

export const classify = (error: unknown, circumstances: Circumstances): MongoError | PoolError => {
  if (isMongoError(error) || isPoolError(error)) return error
  if (!(error instanceof Driver.MongoError)) {
    const { pool } = circumstances
    const sent = sentOfSocketError(error)
    if (sent !== undefined) {
      return new MongoError({
        _tag: "ConnectionLost",
        pool,
        labels: [],
        sent: whole(sent, circumstances, 1),
        cause: error
      })
    }
    return new MongoError({ _tag: "Rejected", pool, cause: error })
  }
  if (error.name === "MongoWaitQueueTimeoutError") return fromPool(circumstances.timedOut(), circumstances)
  const ended = CLOSED.has(error.name) ? circumstances.ended() : undefined
  if (ended !== undefined) return ended
  if (error instanceof Driver.MongoServerSelectionError) {
    return new MongoError({
      ...common(error, circumstances),
      _tag: "ServerSelection",
      servers: servers(error),
      sent: whole("no", circumstances, 0)
    })
  }
  if (isCleared(error) && isRefusedUser(error.cause)) return fromServer(error.cause, circumstances)
  if (error instanceof Driver.MongoNetworkError) return fromNetwork(error, circumstances)
  if (error instanceof Driver.MongoServerError) return fromServer(error, circumstances)
  if (CLOSED.has(error.name)) {
    return new MongoError({ ...common(error, circumstances), _tag: "ConnectionLost", sent: "unknown" })
  }
  return new MongoError({ _tag: "Rejected", pool: circumstances.pool, cause: error })
}
