/**
 * What the helper asks a Redis server for itself: a short connection each time, so that none stays open beside the
 * pool that is tested.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Net from "node:net"
import type { RedisServerError } from "../../RedisServerError.ts"
import { inRealTime } from "../realTime.ts"
import { errors } from "./errors.ts"

/** An answer in RESP 2. */
export type Reply = string | number | null | Error | ReadonlyArray<Reply>

interface Parsed {
  readonly reply: Reply
  readonly next: number
}

/** The reply that begins at an index, unless its end has not come yet. */
const parse = (data: Buffer, at: number): Parsed | undefined => {
  const end = data.indexOf("\r\n", at)
  if (end < 0) return undefined
  const line = data.toString("utf8", at + 1, end)
  const next = end + 2
  switch (String.fromCharCode(data[at] ?? 0)) {
    case "+":
      return { reply: line, next }
    case "-":
      return { reply: new Error(line), next }
    case ":":
      return { reply: Number(line), next }
    case "$":
      return parseBulk(data, next, Number(line))
    default:
      return parseArray(data, next, Number(line))
  }
}

const parseBulk = (data: Buffer, at: number, length: number): Parsed | undefined => {
  if (length < 0) return { reply: null, next: at }
  const next = at + length + 2
  return data.length < next ? undefined : { reply: data.toString("utf8", at, at + length), next }
}

const parseArray = (data: Buffer, at: number, length: number): Parsed | undefined => {
  const replies: Array<Reply> = []
  let next = at
  for (let n = 0; n < length; n++) {
    const parsed = parse(data, next)
    if (parsed === undefined) return undefined
    replies.push(parsed.reply)
    next = parsed.next
  }
  return { reply: replies, next }
}

const encode = (command: ReadonlyArray<string>): string =>
  `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`

/** How the helper's own connections are called. */
export const clientName = "breakwater-testing"

/** The commands that a connection begins with, by its URL. */
const greeting = (url: URL): ReadonlyArray<ReadonlyArray<string>> => {
  const password = decodeURIComponent(url.password)
  const username = decodeURIComponent(url.username)
  const database = url.pathname.slice(1)
  return [
    ...(password === "" ? [] : [["AUTH", ...(username === "" ? [] : [username]), password]]),
    ...(database === "" ? [] : [["SELECT", database]]),
    ["CLIENT", "SETNAME", clientName]
  ]
}

const exchange = (url: URL, commands: ReadonlyArray<ReadonlyArray<string>>) =>
  Effect.callback<ReadonlyArray<Reply>, Error>((answer) => {
    const socket = Net.connect({ host: url.hostname, port: portOf(url) })
    const resume = (result: Effect.Effect<ReadonlyArray<Reply>, Error>) => {
      socket.destroy()
      answer(result)
    }
    const replies: Array<Reply> = []
    let data = Buffer.alloc(0)
    socket.on("data", (chunk) => {
      data = Buffer.concat([data, chunk])
      for (let parsed = parse(data, 0); parsed !== undefined; parsed = parse(data, 0)) {
        replies.push(parsed.reply)
        data = data.subarray(parsed.next)
      }
      const failed = replies.find((reply) => reply instanceof Error)
      if (failed !== undefined) resume(Effect.fail(failed))
      else if (replies.length === commands.length) resume(Effect.succeed(replies))
    })
    socket.once("error", (error) => resume(Effect.fail(error)))
    socket.once("close", () => resume(Effect.fail(new Error("the server closed the connection"))))
    socket.write(commands.map(encode).join(""))
    return Effect.sync(() => socket.destroy())
  })

export const portOf = (url: URL): number => url.port === "" ? 6379 : Number(url.port)

/** Runs one command on a connection of its own; bounded in time. */
export const run = (
  url: URL,
  operation: string,
  ...command: ReadonlyArray<string>
): Effect.Effect<Reply, RedisServerError> => {
  const before = greeting(url)
  return Effect.map(exchange(url, [...before, command]), (replies) => replies[before.length] ?? null).pipe(
    Effect.timeout("10 seconds"),
    Effect.mapError((cause) => errors.adminFailed(operation, cause)),
    inRealTime
  )
}

/** The parts of a Redis URL, or `InvalidUrl`, which does not repeat it: it holds a password. */
export const parseUrl = (url: Redacted.Redacted): Effect.Effect<URL, RedisServerError> =>
  Effect.suspend(() => {
    const parsed = URL.parse(Redacted.value(url))
    return parsed !== null && parsed.protocol === "redis:" && parsed.hostname !== ""
      ? Effect.succeed(parsed)
      : Effect.fail(errors.invalidUrl())
  })
