/**
 * A TCP server on 127.0.0.1 that treats each connection as its script says, and counts them: for what has no protocol
 * of its own, such as a pool over plain sockets.
 *
 * A script is called with each connection that comes, and says what happens to its bytes. Where a network between a
 * client and a real server is to fail, `FaultProxy` is the tool; this is the server that fails by itself. Times are
 * measured by the `Clock` of the fiber that made the server.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Net from "node:net"
import * as Listener from "./internal/listener.ts"
import * as Ports from "./internal/ports.ts"
import * as Timer from "./internal/timer.ts"

export type { Stats } from "./internal/listener.ts"

/**
 * The server could not listen on its port.
 *
 * @since 0.1.0
 * @category errors
 */
export class FakeTcpError extends Schema.TaggedError<FakeTcpError>()("FakeTcpError", {
  host: Schema.String,
  port: Schema.Number,
  cause: Schema.Defect()
}) {
  override get message() {
    return `FakeTcp: cannot listen on ${this.host}:${this.port}`
  }
}

/**
 * What a script may do to a connection. The end of a client always ends it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connection {
  readonly write: (bytes: string | Uint8Array) => void
  /** Sends a FIN; the client's bytes are still taken until it ends, too. */
  readonly end: () => void
  /** Sends a RST. */
  readonly reset: () => void
  /** Takes no more bytes, and does not see the client's end, until `resume`. */
  readonly pause: () => void
  readonly resume: () => void
  /** Milliseconds of the server's clock, which only counts forward. */
  readonly now: () => number
  /** Runs `f` after so many milliseconds, unless the connection is closed by then. */
  readonly after: (millis: number, f: () => void) => void
}

/**
 * Called with each connection that comes; what it returns is called with the bytes that the client sends. Without that
 * they are dropped.
 *
 * @since 0.1.0
 * @category models
 */
export type Script = (connection: Connection) => ((bytes: Uint8Array) => void) | void

/**
 * A running server.
 *
 * @since 0.1.0
 * @category models
 */
export interface FakeTcp extends Listener.FakeServer<FakeTcpError> {
  /** Changes how connections that come from now on are treated. */
  readonly script: (script: Script) => Effect.Effect<void>
  readonly stats: Effect.Effect<Listener.Stats>
}

/**
 * Sends back what it gets.
 *
 * @since 0.1.0
 * @category scripts
 */
export const echo: Script = ({ write }) => write

/**
 * Takes everything and never says a word, as a server that hangs, or one that is gone without its client having been
 * told (a half-open connection).
 *
 * @since 0.1.0
 * @category scripts
 */
export const silent: Script = () => {}

/**
 * Accepts, and ends the connection with a FIN at once. Until the client ends it too it is half closed: it counts as
 * open, and takes bytes that nobody answers.
 *
 * @since 0.1.0
 * @category scripts
 */
export const ends: Script = ({ end }) => end()

/**
 * Accepts, and ends the connection with a RST at once.
 *
 * @since 0.1.0
 * @category scripts
 */
export const resets: Script = ({ reset }) => reset()

/**
 * Treats the first bytes of each connection as the script does and falls silent after so many: a connection that
 * worked, and is half open now. A number that is not an integer of at least 0 is a `RangeError`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const silentAfter = (bytes: number, script: Script): Script => {
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new RangeError(`FakeTcp.silentAfter: bytes is ${bytes}, allowed are the integers from 0`)
  }
  return (connection) => {
    const answer = script(connection)
    let left = bytes
    return (chunk) => {
      const heard = chunk.subarray(0, left)
      left -= heard.length
      if (heard.length > 0) answer?.(heard)
    }
  }
}

/**
 * Serves so many new connections a second as the script does; the others wait for their turn, connected, as in the
 * backlog of a server that is slow to accept. A rate that is not a finite number above 0 is a `RangeError`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const acceptRate = (perSecond: number, script: Script): Script => {
  if (!Number.isFinite(perSecond) || perSecond <= 0) {
    throw new RangeError(`FakeTcp.acceptRate: perSecond is ${perSecond}, allowed are finite numbers above 0`)
  }
  let free = 0
  return (connection) => {
    const now = connection.now()
    const turn = Math.max(now, free)
    free = turn + 1000 / perSecond
    let answer: ReturnType<Script>
    connection.pause()
    connection.after(turn - now, () => {
      answer = script(connection)
      connection.resume()
    })
    return (bytes) => answer?.(bytes)
  }
}

/**
 * Starts a server on 127.0.0.1 and a port that was free. Its sockets are closed with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(
  initial: Script = echo
): Effect.fn.Return<FakeTcp, FakeTcpError, Scope.Scope> {
  const clock = yield* Clock.Clock
  let script = initial
  const listener = yield* Listener.make({
    onSocket: (socket) => {
      const answer = script(connectionOf(socket, clock))
      // Without a reader the client's end would go unseen.
      socket.on("data", (bytes: Buffer) => answer?.(bytes))
    },
    failed: (port, cause) => new FakeTcpError({ host: Ports.host, port, cause })
  })
  return {
    ...Listener.fakeServer(listener),
    script: (next) =>
      Effect.sync(() => {
        script = next
      }),
    stats: listener.stats
  }
})

const connectionOf = (socket: Net.Socket, clock: Clock.Clock): Connection => ({
  write: (bytes) => {
    if (socket.writable) socket.write(bytes)
  },
  end: () => void socket.end(),
  reset: () => void socket.resetAndDestroy(),
  pause: () => void socket.pause(),
  resume: () => void socket.resume(),
  now: Timer.now(clock),
  after: Timer.ofSocket(socket, Timer.make(clock))
})
