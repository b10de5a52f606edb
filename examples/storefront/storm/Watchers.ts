/** Those who watch the feed: some to the end, some that vanish without a word, some that ask and do not read. */
import { ReconnectingSocket } from "@breakwater/websocket"
import { Effect, Redacted, Stream } from "effect"
import { randomBytes } from "node:crypto"
import * as Net from "node:net"

const FAITHFUL = 5

/** Watchers that stay, counting what they hear. */
export const faithful = Effect.fnUntraced(function*(url: string) {
  let heard = 0
  const feed = Redacted.make(`${url.replace("http", "ws")}/feed`)
  yield* Effect.forEach(
    Array.from({ length: FAITHFUL }, (_, n) => `watcher-${n + 1}`),
    (name) =>
      ReconnectingSocket.make({ name, url: feed, critical: false }).pipe(
        Effect.flatMap(({ messages }) =>
          Effect.forkScoped(Stream.runForEach(messages, () => Effect.sync(() => heard++)))
        )
      )
  )
  return { count: FAITHFUL, heard: Effect.sync(() => heard) }
})

/** A connection to the feed that nobody reads, open until the scope closes. */
const unread = (address: { readonly host: string; readonly port: number }) =>
  Effect.acquireRelease(
    Effect.callback<Net.Socket>((resume) => {
      const socket = Net.connect(address.port, address.host)
      const key = randomBytes(16).toString("base64")
      socket.on("error", () => resume(Effect.succeed(socket)))
      socket.once("connect", () =>
        socket.write(
          `GET /feed HTTP/1.1\r\nhost: ${address.host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n`
            + `sec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\n\r\n`
        ))
      socket.once("readable", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

const SOME = 10

/** Through a proxy that lets nothing pass any more, they are gone without a word. */
export const some = (address: { readonly host: string; readonly port: number }) =>
  Effect.forEach(Array.from({ length: SOME }), () => unread(address), { concurrency: "unbounded" })

const SLOW = 2
const QUESTIONS = 1500

/** A text of one letter, as a client must mask it. */
const question = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x3f])

/** They ask for more than the network holds for them. */
export const slow = (address: { readonly host: string; readonly port: number }) =>
  Effect.forEach(Array.from({ length: SLOW }), () =>
    Effect.map(unread(address), (socket) => {
      socket.write(Buffer.concat(Array.from({ length: QUESTIONS }, () => question)))
    }), { concurrency: "unbounded", discard: true })
