/**
 * An HTTP/1.1 server on 127.0.0.1 that answers as it is told, and counts its sockets: slow headers, slow bodies, bodies
 * that end in a reset, any status, nothing at all.
 *
 * It is written on sockets, so that it behaves the same on every runtime. What clients send is read loosely: it serves
 * tests, not the network. Times are measured by the `Clock` of the fiber that made it.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import { HttpConversation, type Timer } from "./internal/httpConversation.ts"
import * as Ports from "./internal/ports.ts"

/**
 * The server could not listen on its port.
 *
 * @since 0.1.0
 * @category errors
 */
export class FakeHttpError extends Schema.TaggedError<FakeHttpError>()("FakeHttpError", {
  host: Schema.String,
  port: Schema.Number,
  cause: Schema.Defect()
}) {
  override get message() {
    return `FakeHttp: cannot listen on ${this.host}:${this.port}`
  }
}

/**
 * A request as it came. Names of headers are in lower case.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** How many requests came before it, over all connections. */
  readonly index: number
}

/**
 * What to answer. Infinite times mean never.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reply {
  /** Default 200. */
  readonly status?: number | undefined
  /** Beside `content-length`, which is always sent. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Default: empty. */
  readonly body?: string | Uint8Array | undefined
  /** How long to wait before the headers. Default 0. */
  readonly headersAfter?: Duration.Input | undefined
  /** How long to wait before each piece of the body. Default 0. */
  readonly pieceAfter?: Duration.Input | undefined
  /** Into how many pieces the body is cut. Default 1. */
  readonly pieces?: number | undefined
  /** Ends the connection with a RST after this many bytes of the body; 0: after the headers. */
  readonly resetAfter?: number | undefined
  /** Ends the connection with a RST instead of any answer. */
  readonly reset?: boolean | undefined
}

/**
 * Decides what to answer.
 *
 * @since 0.1.0
 * @category models
 */
export type Script = (request: Request) => Reply

/**
 * What happened since the server was made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Connections that are open now. */
  readonly open: number
  /** The most that were open at once. */
  readonly peak: number
  /** Connections accepted in total. */
  readonly accepted: number
  /** Requests whose headers and body came. */
  readonly requests: number
}

/**
 * A running server.
 *
 * @since 0.1.0
 * @category models
 */
export interface FakeHttp {
  readonly host: string
  readonly port: number
  /** Without a slash at its end. */
  readonly url: string
  /** Changes how requests are answered from now on. */
  readonly script: (script: Script) => Effect.Effect<void>
  /** Ends every open connection with a RST. */
  readonly cut: Effect.Effect<void>
  /** Refuses new connections; open ones stay. */
  readonly refuse: Effect.Effect<void>
  /** As when its process is killed: refuses, and cuts. */
  readonly kill: Effect.Effect<void>
  /** Listens again, on the same port. */
  readonly restore: Effect.Effect<void, FakeHttpError>
  readonly stats: Effect.Effect<Stats>
  /** The requests that came, oldest first; the last thousand. */
  readonly requests: Effect.Effect<ReadonlyArray<Request>>
}

const KEPT_REQUESTS = 1000

/**
 * Answers the requests one after the other as listed, and all that follow as the last one. An empty list is a
 * `RangeError`.
 *
 * @since 0.1.0
 * @category scripts
 */
export const inTurn = (...replies: ReadonlyArray<Reply>): Script => {
  const last = replies.at(-1)
  if (last === undefined) throw new RangeError("FakeHttp.inTurn: there are no replies, allowed is at least one")
  let next = 0
  return () => replies[next++] ?? last
}

const timerOf = (clock: Clock.Clock): Timer => (after, f) => {
  const millis = Duration.toMillis(Duration.fromInputUnsafe(after))
  if (millis === 0) {
    f()
    return () => {}
  }
  // A sleep without end needs no fiber.
  if (millis === Infinity) return () => {}
  const sleeping = Effect.andThen(Effect.sleep(millis), Effect.sync(f))
  const fiber = Effect.runFork(Effect.provideService(sleeping, Clock.Clock, clock))
  return () => fiber.interruptUnsafe()
}

/**
 * Starts a server on 127.0.0.1 and a port that was free. Its sockets are closed with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(
  initial: Script = () => ({ body: "ok" })
): Effect.fn.Return<FakeHttp, FakeHttpError, Scope.Scope> {
  const timer = timerOf(yield* Clock.Clock)
  const conversations = new Set<HttpConversation>()
  const requests: Array<Request> = []
  const counts = { peak: 0, accepted: 0, requests: 0 }
  let script = initial
  const accept = (socket: Net.Socket) => {
    const conversation = new HttpConversation(socket, timer, (request) => {
      const received = { ...request, index: counts.requests++ }
      requests.push(received)
      if (requests.length > KEPT_REQUESTS) requests.shift()
      return script(received)
    })
    conversations.add(conversation)
    counts.accepted++
    counts.peak = Math.max(counts.peak, conversations.size)
    socket.once("close", () => conversations.delete(conversation))
  }
  let server: Net.Server | undefined
  const open = (port: number) =>
    Effect.suspend(() =>
      server !== undefined ? Effect.void : Effect.map(listening(port, accept), (opened) => {
        server = opened
      })
    ).pipe(Effect.uninterruptible)
  const refuse = Effect.sync(() => {
    server?.close()
    server = undefined
  })
  const cut = Effect.sync(() => {
    for (const conversation of Array.from(conversations)) conversation.reset()
  })
  const kill = Effect.andThen(refuse, cut)
  yield* Effect.addFinalizer(() => kill)
  const port = yield* Ports.candidate.pipe(Effect.tap(open), Effect.retry({ times: Ports.attempts - 1 }))
  return {
    host: Ports.host,
    port,
    url: `http://${Ports.host}:${port}`,
    script: (next) =>
      Effect.sync(() => {
        script = next
      }),
    cut,
    refuse,
    kill,
    restore: Effect.suspend(() => open(port)),
    stats: Effect.sync(() => ({ open: conversations.size, ...counts })),
    requests: Effect.sync(() => [...requests])
  }
})

const listening = (port: number, accept: (socket: Net.Socket) => void) =>
  Effect.callback<Net.Server, FakeHttpError>((resume) => {
    const server = Net.createServer({ noDelay: true }, accept)
    server.on("error", (cause) => resume(Effect.fail(new FakeHttpError({ host: Ports.host, port, cause }))))
    server.listen(port, Ports.host, () => resume(Effect.succeed(server)))
    return Effect.sync(() => server.close())
  })
