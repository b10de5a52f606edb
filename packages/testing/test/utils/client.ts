/** A raw TCP client and an echo server, each wait bounded and in real time. */
import { Data, Effect } from "effect"
import type { Scope } from "effect"
import * as Net from "node:net"

export class ConnectFailed extends Data.TaggedError("ConnectFailed")<{ readonly code: string | undefined }> {}

/** In real time, whatever the clock of the test. */
const pause = Effect.callback<void>((resume) => {
  const timer = setTimeout(() => resume(Effect.void), 5)
  return Effect.sync(() => clearTimeout(timer))
})

/** Polls in real time; a test that waits in vain dies after 25 seconds. */
export const eventually = <E, R>(condition: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.gen(function*() {
    const end = performance.now() + 25_000
    while (!(yield* condition)) {
      if (performance.now() > end) return yield* Effect.die(new Error("waited 25 seconds in vain"))
      yield* pause
    }
  })

type Ending = "FIN" | "RST"

const watch = (socket: Net.Socket) => {
  const seen: { text: string; ended: boolean; ending: Ending | undefined } = {
    text: "",
    ended: false,
    ending: undefined
  }
  socket.on("data", (chunk: Buffer) => {
    seen.text += chunk.toString("latin1")
  })
  socket.on("end", () => {
    seen.ended = true
  })
  socket.on("error", () => {})
  socket.on("close", (failed: boolean) => {
    seen.ending = failed ? "RST" : "FIN"
  })
  return seen
}

/** With `allowHalfOpen` the end that it reads is not the end of what it sends. */
export const connect = (
  address: { readonly host: string; readonly port: number },
  { allowHalfOpen = false }: { readonly allowHalfOpen?: boolean } = {}
) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Net.Socket, ConnectFailed>((resume) => {
        const socket = Net.connect({ host: address.host, port: address.port, noDelay: true, allowHalfOpen })
        socket.once("connect", () => resume(Effect.succeed(socket)))
        socket.once("error", (error: NodeJS.ErrnoException) =>
          resume(Effect.fail(new ConnectFailed({ code: error.code }))))
      }),
      (socket) =>
        Effect.sync(() => socket.destroy())
    ),
    (socket) => {
      const seen = watch(socket)
      const untilClosed = eventually(Effect.sync(() => seen.ending !== undefined))
      return {
        send: (text: string) => Effect.sync(() => void socket.write(text, "latin1")),
        read: (length: number) =>
          Effect.map(eventually(Effect.sync(() => seen.text.length >= length)), () => seen.text.slice(0, length)),
        end: Effect.sync(() => void socket.end()),
        destroy: Effect.sync(() => void socket.destroy()),
        /** The other side has sent a FIN. */
        ended: eventually(Effect.sync(() => seen.ended)),
        closed: Effect.map(untilClosed, () => seen.ending),
        isClosed: () => seen.ending !== undefined,
        received: () => seen.text,
        unsent: () => socket.writableLength
      }
    }
  )

const opened = (server: Net.Server, port: number) =>
  Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(port, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => server.close())
  )

/** Takes a port and answers nothing on it. */
export const listen = (port: number) => Effect.suspend(() => opened(Net.createServer(), port))

export const echoServer: Effect.Effect<
  {
    readonly host: string
    readonly port: number
    readonly open: () => number
    readonly accepted: () => number
    readonly received: () => string
    readonly endings: () => Array<Ending>
    readonly untilOpen: (count: number) => Effect.Effect<void>
    readonly untilReceived: (text: string) => Effect.Effect<void>
  },
  never,
  Scope.Scope
> = Effect.gen(function*() {
  const open = new Set<Net.Socket>()
  const all: Array<ReturnType<typeof watch>> = []
  const server = Net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket)
    all.push(watch(socket))
    socket.on("data", (chunk) => socket.write(chunk))
    socket.on("end", () => socket.end())
    socket.on("close", () => open.delete(socket))
  })
  yield* opened(server, 0)
  yield* Effect.addFinalizer(() => Effect.sync(() => open.forEach((socket) => socket.destroy())))
  const address = server.address()
  if (address === null || typeof address === "string") return yield* Effect.die(new Error("no port"))
  const received = () => all.map((seen) => seen.text).join("")
  return {
    host: "127.0.0.1",
    port: address.port,
    open: () => open.size,
    accepted: () => all.length,
    received,
    endings: () => all.flatMap((seen) => seen.ending === undefined ? [] : [seen.ending]),
    untilOpen: (count) => eventually(Effect.sync(() => open.size === count)),
    untilReceived: (text) => eventually(Effect.sync(() => received() === text))
  }
})
