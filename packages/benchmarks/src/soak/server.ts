/** A server that answers each line after a while, one at a time for each connection, and the client's end of it. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as net from "node:net"

export class Lost extends Data.TaggedError("Lost")<{ readonly cause: unknown }> {}

export interface Address {
  readonly host: string
  readonly port: number
}

export interface Server extends Address {
  readonly open: () => number
}

const HOST = "127.0.0.1"

/** Answers after `serviceMillis`. */
export const listen = (serviceMillis: () => number): Effect.Effect<Server, Lost, Scope.Scope> => {
  const sockets = new Set<net.Socket>()
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => sockets.delete(socket))
    socket.on("data", () => setTimeout(() => socket.writable && socket.write("done\n"), serviceMillis()))
  })
  return Effect.acquireRelease(
    Effect.callback<Server, Lost>((resume) => {
      server.once("error", (cause) => resume(Effect.fail(new Lost({ cause }))))
      server.listen(0, HOST, () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ host: HOST, port, open: () => sockets.size }))
      })
    }),
    () =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      })
  )
}

/** One connection, which serves one request at a time. */
export class Client {
  isLost = false
  private answered: ((answer: Effect.Effect<void, Lost>) => void) | undefined
  private readonly socket: net.Socket

  private constructor(socket: net.Socket) {
    this.socket = socket
    socket.on("data", () => this.answer(Effect.void))
    socket.on("error", () => {})
    socket.on("close", () => {
      this.isLost = true
      this.answer(Effect.fail(new Lost({ cause: "the connection was closed" })))
    })
  }

  /** Open once the server has answered: that a proxy accepts it says nothing. */
  static connect({ host, port }: Address): Effect.Effect<Client, Lost, Scope.Scope> {
    const dial = Effect.callback<net.Socket, Lost>((resume) => {
      const socket = net.connect({ host, port, noDelay: true })
      socket.once("connect", () => resume(Effect.succeed(socket)))
      socket.once("error", (cause) => resume(Effect.fail(new Lost({ cause }))))
      return Effect.sync(() => socket.destroy())
    })
    return Effect.acquireRelease(dial, (socket) => Effect.sync(() => socket.destroy()), { interruptible: true }).pipe(
      Effect.map((socket) => new Client(socket)),
      Effect.tap((client) => client.request)
    )
  }

  get request(): Effect.Effect<void, Lost> {
    return Effect.callback((resume) => {
      if (this.isLost) return resume(Effect.fail(new Lost({ cause: "the connection is closed" })))
      this.answered = resume
      this.socket.write("do\n")
      // The answer may still come, and would be taken for that of the next request.
      return Effect.sync(() => this.socket.destroy())
    })
  }

  private answer(answer: Effect.Effect<void, Lost>): void {
    const answered = this.answered
    this.answered = undefined
    answered?.(answer)
  }
}
