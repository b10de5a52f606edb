/** A server on 127.0.0.1 that answers every command alike, or only listens. */
import { Effect, type Scope } from "effect"
import * as Net from "node:net"

export interface FakeRedis {
  readonly host: string
  readonly port: number
  /** All that came. */
  readonly heard: () => string
  /** What every command is answered from now on. */
  readonly answer: (reply: string) => void
  /** To the first command, after which it hangs up. */
  readonly dismiss: (reply: string) => void
}

const commandsIn = (text: string): number => text.split(/\*\d+\r\n/).length - 1

export const make: Effect.Effect<FakeRedis, never, Scope.Scope> = Effect.acquireRelease(
  Effect.callback<FakeRedis & { readonly close: () => void }>((resume) => {
    let heard = ""
    let reply: string | undefined
    let farewell: string | undefined
    const sockets = new Set<Net.Socket>()
    const server = Net.createServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => sockets.delete(socket))
      socket.on("data", (chunk: Buffer) => {
        const text = chunk.toString("latin1")
        heard += text
        if (farewell !== undefined) socket.end(farewell)
        else if (reply !== undefined) socket.write(reply.repeat(commandsIn(text)))
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(Effect.succeed({
        host: "127.0.0.1",
        port: address !== null && typeof address === "object" ? address.port : 0,
        heard: () => heard,
        answer: (next) => {
          reply = next
          farewell = undefined
        },
        dismiss: (last) => {
          farewell = last
        },
        close: () => {
          server.close()
          for (const socket of sockets) socket.destroy()
        }
      }))
    })
  }),
  ({ close }) => Effect.sync(close)
)
