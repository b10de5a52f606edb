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
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { HttpConversation, type Received, type Reply } from "./internal/httpConversation.ts"
import * as Listener from "./internal/listener.ts"
import * as Ports from "./internal/ports.ts"
import * as Timer from "./internal/timer.ts"

export type { Reply } from "./internal/httpConversation.ts"

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
export interface Request extends Received {
  /** How many requests came before it, over all connections. */
  readonly index: number
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
export interface Stats extends Listener.Stats {
  /** Requests whose headers and body came. */
  readonly requests: number
}

/**
 * A running server.
 *
 * @since 0.1.0
 * @category models
 */
export interface FakeHttp extends Listener.FakeServer<FakeHttpError> {
  /** Without a slash at its end. */
  readonly url: string
  /** Changes how requests are answered from now on. */
  readonly script: (script: Script) => Effect.Effect<void>
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

/**
 * Starts a server on 127.0.0.1 and a port that was free. Its sockets are closed with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(
  initial: Script = () => ({ body: "ok" })
): Effect.fn.Return<FakeHttp, FakeHttpError, Scope.Scope> {
  const timer = Timer.make(yield* Clock.Clock)
  const requests: Array<Request> = []
  let received = 0
  let script = initial
  const answer = (request: Received) => {
    const numbered = { ...request, index: received++ }
    requests.push(numbered)
    if (requests.length > KEPT_REQUESTS) requests.shift()
    return script(numbered)
  }
  const listener = yield* Listener.make({
    onSocket: (socket) => void new HttpConversation(socket, timer, answer),
    failed: (port, cause) => new FakeHttpError({ host: Ports.host, port, cause })
  })
  const server = Listener.fakeServer(listener)
  return {
    ...server,
    url: `http://${server.host}:${server.port}`,
    script: (next) =>
      Effect.sync(() => {
        script = next
      }),
    stats: Effect.map(listener.stats, (counts) => ({ ...counts, requests: received })),
    requests: Effect.sync(() => [...requests])
  }
})
