/**
 * A TCP proxy on 127.0.0.1 whose network fails on command, for the connections
 * that are open and for those to come.
 *
 * The client's connection is accepted before the target is dialled: a target
 * that can't be reached shows as a reset right after the connect, and only
 * `refuse` makes the connect itself fail. Times are measured by the `Clock` of
 * the fiber that made the proxy: under a `TestClock` a delay passes when the
 * test says so.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Fault from "./Fault.ts"
import * as Listener from "./internal/listener.ts"
import * as Ports from "./internal/ports.ts"
import { ProxyConnection } from "./internal/proxyConnection.ts"
import * as Timer from "./internal/timer.ts"

/**
 * The proxy could not listen on its port.
 *
 * @since 0.1.0
 * @category errors
 */
export class FaultProxyError extends Schema.TaggedError<FaultProxyError>()("FaultProxyError", {
  host: Schema.String,
  port: Schema.Number,
  cause: Schema.Defect()
}) {
  override get message() {
    return `FaultProxy: cannot listen on ${this.host}:${this.port}`
  }
}

/**
 * A TCP address.
 *
 * @since 0.1.0
 * @category models
 */
export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * What passed through a proxy since it was made. A connection is open as long as its client holds its end.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends Listener.Stats {
  /** Bytes handed to the target. */
  readonly bytesUp: number
  /** Bytes handed to the clients. */
  readonly bytesDown: number
}

/**
 * A running proxy. Faults begin at once, last until `restore` and add up.
 *
 * @since 0.1.0
 * @category models
 */
export interface FaultProxy extends Address {
  /** Begins a fault; one of the same name is replaced. */
  readonly apply: (fault: Fault.Fault) => Effect.Effect<void>
  /** Holds bytes back for a time, in each direction, in order: `Fault.delay`. */
  readonly delay: (duration: Duration.Input) => Effect.Effect<void>
  /**
   * Holds each packet back for another time: `Fault.jitter`. Gives its seed, drawn from `Random` where none is given: a
   * test that prints it can be run again with the same.
   */
  readonly jitter: (max: Duration.Input, seed?: number | string) => Effect.Effect<number | string>
  /** Ends every open connection with a FIN: `Fault.cut`. */
  readonly cut: Effect.Effect<void>
  /** Ends every open connection with a RST: `Fault.reset`. */
  readonly reset: Effect.Effect<void>
  /** Lets nothing pass until `restore`, then delivers it late: `Fault.blackHole`. */
  readonly blackHole: Effect.Effect<void>
  /** Refuses new connections with ECONNREFUSED; open ones stay: `Fault.refuse`. */
  readonly refuse: Effect.Effect<void>
  /** Ends all faults, delivers what was held back, and listens on the same port again. */
  readonly restore: Effect.Effect<void, FaultProxyError>
  /** Sends new connections to another target. */
  readonly retarget: (target: Address) => Effect.Effect<void>
  /** The counts of this moment. */
  readonly stats: Effect.Effect<Stats>
}

/**
 * Starts a proxy in front of `target`, on 127.0.0.1 and a port that was free.
 * Its connections and its socket are closed with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(options: {
  readonly target: Address
}): Effect.fn.Return<FaultProxy, FaultProxyError, Scope.Scope> {
  const relay = makeRelay(options.target, yield* Clock.Clock)
  const active = new Map<string, Fault.Fault>()
  const entrance = yield* Listener.make({
    createServer: (onSocket) => Net.createServer({ allowHalfOpen: true, noDelay: true }, onSocket),
    onSocket: (socket) => relay.accept(socket, active.values()),
    failed: (port, cause) => new FaultProxyError({ host: Ports.host, port, cause })
  })
  yield* Effect.addFinalizer(() => Effect.sync(relay.destroy))

  const apply = (fault: Fault.Fault) =>
    Effect.suspend(() => {
      if (fault.refuses === true || fault.passage !== undefined) active.set(fault.name, fault)
      relay.begin(fault)
      return fault.refuses === true ? entrance.close : Effect.void
    })
  const jitter = (max: Duration.Input, seed: number | string) => Effect.as(apply(Fault.jitter(max, seed)), seed)
  return {
    host: Ports.host,
    port: entrance.port,
    apply,
    delay: (duration) => apply(Fault.delay(duration)),
    jitter: (max, seed) =>
      seed === undefined ? Effect.flatMap(Random.nextInt, (drawn) => jitter(max, drawn)) : jitter(max, seed),
    cut: apply(Fault.cut),
    reset: apply(Fault.reset),
    blackHole: apply(Fault.blackHole),
    refuse: apply(Fault.refuse),
    restore: Effect.suspend(() => {
      active.clear()
      relay.restore()
      return entrance.open
    }),
    retarget: (target) => Effect.sync(() => relay.retarget(target)),
    stats: Effect.sync(relay.stats)
  }
})

/**
 * The URL of a server, through a proxy in front of it.
 *
 * @since 0.1.0
 * @category conversions
 */
export const through = (url: Redacted.Redacted, proxy: Address): Redacted.Redacted => {
  const changed = new URL(Redacted.value(url))
  changed.hostname = proxy.host
  changed.port = String(proxy.port)
  return Redacted.make(changed.href)
}

/** The connections of a proxy and their counts; knows nothing of listening. */
const makeRelay = (initial: Address, clock: Clock.Clock) => {
  const connections = new Set<ProxyConnection>()
  const counts = { accepted: 0, peak: 0, bytesUp: 0, bytesDown: 0 }
  let target = initial

  const now = Timer.now(clock)
  const timer = Timer.make(clock)
  const open = () => {
    let count = 0
    for (const connection of connections) if (connection.isOpen()) count++
    return count
  }
  const each = (f: (connection: ProxyConnection) => void) => Array.from(connections).forEach(f)

  return {
    accept: (socket: Net.Socket, faults: Iterable<Fault.Fault>) => {
      const connection = new ProxyConnection(socket, {
        index: counts.accepted,
        target: () => target,
        faults,
        now,
        timer,
        onPassed: ({ bytes, direction }) => {
          counts[direction === "up" ? "bytesUp" : "bytesDown"] += bytes
        },
        onClosed: () => connections.delete(connection)
      })
      connections.add(connection)
      counts.accepted++
      counts.peak = Math.max(counts.peak, open())
    },
    begin: (fault: Fault.Fault) => each((connection) => connection.begin(fault)),
    restore: () => each((connection) => connection.restore()),
    destroy: () => each((connection) => connection.destroy()),
    retarget: (address: Address) => {
      target = address
    },
    stats: (): Stats => ({ open: open(), ...counts })
  }
}
