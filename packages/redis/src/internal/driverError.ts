/**
 * What ioredis fails with, turned into errors of ours. Its own are never kept: they carry the arguments of the command,
 * the password of AUTH and HELLO among them.
 *
 * @internal
 */
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { isRedisError, RedisError } from "../RedisError.ts"
import { codeOf } from "./replies.ts"

/** The command was not written, since the connection was gone before. */
export class NotSent extends Error {}

/** The text of an error reply; ioredis' parser calls them by one name. */
export const errorText = (error: unknown): string | undefined =>
  error instanceof Error && (error.name === "ReplyError" || error.constructor.name === "ErrorReply")
    ? error.message
    : undefined

const LOST = new Set([
  "Connection is closed.",
  "Command aborted due to connection close",
  "Stream isn't writeable and enableOfflineQueue options is false"
])

export const isLostText = (error: unknown): boolean => error instanceof Error && LOST.has(error.message)

interface Owner {
  readonly name: string
  readonly server: { readonly password: Redacted.Redacted | undefined }
}

const scrub = (text: string, { server }: Owner): string => {
  const password = server.password === undefined ? "" : Redacted.value(server.password)
  return password === "" ? text : text.replaceAll(password, "<redacted>")
}

const errorReply = (owner: Owner, command: string | undefined, text: string): RedisError =>
  new RedisError({
    _tag: "ErrorReply",
    redis: owner.name,
    command,
    code: codeOf(text),
    text: scrub(text, owner)
  })

/** Of a command, or of a function that used the connection; `undefined` for what is not Redis' own. */
export const fromDriver = (owner: Owner, command: string | undefined, error: unknown): RedisError | undefined => {
  if (isRedisError(error)) return error
  const text = errorText(error)
  if (text !== undefined) return errorReply(owner, command, text)
  const sent = error instanceof NotSent ? "no" : isLostText(error) ? "unknown" : undefined
  return sent === undefined ? undefined : lost(owner, command, sent)
}

export const lost = (owner: Owner, command: string | undefined, sent: "no" | "unknown"): RedisError =>
  new RedisError({ _tag: "ConnectionLost", redis: owner.name, command, sent })

/** Of a command of which nothing is known but that it failed. */
export const fromCommand = (owner: Owner, command: string | undefined, error: unknown): RedisError =>
  fromDriver(owner, command, error) ?? lost(owner, command, "unknown")

/** What failed was not executed, but more than that was asked for: as a whole it must not count as not sent. */
export const amongOthers = (error: RedisError): RedisError => {
  const { outcome, reason } = error
  if (outcome._tag === "Success" || outcome.sent !== "no") return error
  switch (reason._tag) {
    case "ErrorReply":
      return new RedisError({ ...reason, partly: true })
    case "ConnectionLost":
      return new RedisError({ ...reason, sent: "unknown" })
    default:
      return error
  }
}

const others = new WeakSet<object>()

/** The same for an error that must stay the one it is. */
export const noteAmongOthers = (error: unknown): void => {
  if (Predicate.isObject(error)) others.add(error)
}

export const isAmongOthers = (error: unknown): boolean => Predicate.isObject(error) && others.has(error)

/** Some servers speak before they are asked, and ioredis has no command to give their error to. */
const UNASKED = / Last error: ([\s\S]*)$/

const textOf = (error: unknown): string => error instanceof Error ? error.message : "the connection was closed"

const systemCode = (error: unknown): string | undefined =>
  Predicate.hasProperty(error, "code") && typeof error.code === "string" ? error.code : undefined

export const fromDial = (owner: Owner, error: unknown): RedisError => {
  const reply = errorText(error) ?? UNASKED.exec(textOf(error))?.[1]
  if (reply !== undefined) return errorReply(owner, undefined, reply)
  if (isRedisError(error)) return error
  return new RedisError({
    _tag: "ConnectFailed",
    redis: owner.name,
    code: systemCode(error),
    detail: scrub(textOf(error), owner)
  })
}
