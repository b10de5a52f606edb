/**
 * The connections of a server: who may come in, how they end, and what watches over them meanwhile.
 *
 * @internal
 */
import type { EventHub } from "@breakwater/core/EventHub"
import * as Monotonic from "@breakwater/core/Monotonic"
import type * as Pool from "@breakwater/core/Pool"
import type { Holder } from "@breakwater/core/PoolError"
import type { PoolEvent } from "@breakwater/core/PoolEvent"
import type * as NodeWS from "@effect/platform-node/NodeWS"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as CloseCode from "../CloseCode.ts"
import { type CloseWhy, WebSocketError } from "../WebSocketError.ts"
import { Channel } from "./channel.ts"
import { closeReasonOf } from "./closeReason.ts"
import { Inbox, type Message, sizeOf } from "./inbox.ts"
import { type Entry, Registry } from "./registry.ts"
import type { Settings } from "./settings.ts"

/**
 * How to register a connection.
 *
 * @since 0.1.0
 * @category models
 */
export interface AddOptions {
  /** Names it; must not be taken. Default: `c1`, `c2`, … */
  readonly id?: string | undefined
  /** Whose it is, a user or a tenant, for `connections.maxPerKey` and `broadcast`. Default: nobody's. */
  readonly key?: string | undefined
}

/**
 * What came of a broadcast. `skipped` are the ids of those whose send buffer had no room.
 *
 * @since 0.1.0
 * @category models
 */
export interface BroadcastReport {
  readonly sent: number
  readonly skipped: ReadonlyArray<string>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface BroadcastOptions {
  /** Only to the connections of this key. */
  readonly key?: string | undefined
  /** But not to the connection with this id. */
  readonly except?: string | undefined
  /**
   * What becomes of a peer whose send buffer is full: its connection is closed, so that it does not go on without
   * knowing what it missed, or it misses this message. Default `close`.
   */
  readonly whenFull?: "close" | "skip" | undefined
}

/**
 * What a health check found. `closed` are the ids of those that gave no sign of life.
 *
 * @since 0.1.0
 * @category models
 */
export interface HealthReport {
  readonly checked: number
  readonly alive: number
  readonly closed: ReadonlyArray<string>
  readonly took: Duration.Duration
}

interface Refusal {
  readonly error: WebSocketError
  readonly code: number
  readonly text: string
}

/** How long a refused peer has to answer the close frame, in milliseconds. */
const REFUSED_LIMIT = 1000

export class Manager {
  readonly settings: Settings
  readonly registry = new Registry()
  readonly events: EventHub<PoolEvent>
  readonly clock: Clock.Clock
  draining = false
  /** By whichever drain: who asks again hears of the same. */
  private readonly cutByDrain = new Map<Channel, Holder>()

  constructor(settings: Settings, events: EventHub<PoolEvent>, clock: Clock.Clock) {
    this.settings = settings
    this.events = events
    this.clock = clock
  }

  now(): number {
    return Monotonic.millis(this.clock)
  }

  /** Registers an open socket, or fails and closes it. */
  add(
    ws: NodeWS.WebSocket,
    options: AddOptions = {}
  ): Effect.Effect<Entry & { readonly inbox: Inbox }, WebSocketError> {
    return Effect.uninterruptible(Effect.flatMap(Inbox.make(this.settings.receiveBuffer), (inbox) => {
      // One that has ended already would never say so.
      if (ws.readyState !== ws.OPEN) {
        return Effect.fail(new WebSocketError({ _tag: "HandshakeFailed", socket: this.settings.name }))
      }
      const id = options.id ?? this.registry.nextId()
      const refusal = this.refusal(id, options.key)
      const entry: Entry = { channel: this.open(ws, id, inbox, () => this.onClosed(entry, inbox)), key: options.key }
      if (refusal !== undefined) {
        return Effect.andThen(this.turnAway(entry.channel, refusal), Effect.fail(refusal.error))
      }
      this.registry.add(entry)
      this.events.publish?.({ _tag: "Dialed", took: Duration.zero })
      return Effect.succeed({ ...entry, inbox })
    }))
  }

  find(id: string): Effect.Effect<Entry, WebSocketError> {
    return Effect.suspend(() => {
      const entry = this.registry.entries.get(id)
      return entry === undefined
        ? Effect.fail(new WebSocketError({ _tag: "UnknownConnection", socket: this.settings.name, connection: id }))
        : Effect.succeed(entry)
    })
  }

  broadcast(message: Message, options: BroadcastOptions = {}): Effect.Effect<BroadcastReport, WebSocketError> {
    const size = sizeOf(message)
    const max = this.settings.send.buffer
    if (size > max) {
      return Effect.fail(new WebSocketError({ _tag: "MessageTooLarge", socket: this.settings.name, bytes: size, max }))
    }
    return Effect.sync(() => {
      const skipped: Array<string> = []
      let sent = 0
      const to = options.key === undefined ? this.registry.entries.values() : this.registry.ofKey(options.key)
      for (const { channel } of to) {
        if (channel.id === options.except || !channel.isOpen) continue
        // Those who wait came first.
        if (channel.waiting === 0 && channel.trySend(message, size)) {
          sent++
          continue
        }
        skipped.push(channel.id)
        if (options.whenFull !== "skip") channel.destroy("SlowReader")
      }
      return { sent, skipped }
    })
  }

  /** Asks every peer for a sign of life, and closes those that give none in time. */
  get healthCheck(): Effect.Effect<HealthReport> {
    return Effect.suspend(() => {
      const since = this.now()
      const silent = new Set<Channel>()
      for (const { channel } of this.registry.entries.values()) if (channel.isOpen) silent.add(channel)
      const checked = silent.size
      return Effect.map(answers(silent, this.settings.answer), () => {
        const dead = [...silent].filter((channel) => channel.isRead && channel.isOpen)
        for (const channel of dead) channel.destroy("Dead")
        return {
          checked,
          alive: checked - dead.length,
          closed: dead.map((channel) => channel.id),
          took: Duration.millis(this.now() - since)
        }
      })
    })
  }

  /** Closes what was idle for too long; gives the time until the next may be, in milliseconds. */
  sweep(): number {
    const { idle } = this.settings
    const now = this.now()
    let next = idle
    for (const { channel } of this.registry.entries.values()) {
      const left = channel.lastMessageAt + idle - now
      if (left > 0) next = Math.min(next, left)
      else if (channel.isOpen) Effect.runFork(channel.close(CloseCode.goingAway, "idle", "Idle"))
    }
    // Not for each one of many that end shortly after each other.
    return Math.max(Math.ceil(next), idle / 20)
  }

  /** Closes all with 1001 and waits for them; cuts at the deadline what is left. */
  drain(deadline: number): Effect.Effect<Pool.DrainReport> {
    return Effect.suspend(() => {
      const since = this.now()
      if (!this.draining) this.events.publish?.({ _tag: "Draining" })
      this.draining = true
      const closes = Effect.forEach(this.registry.channels, (channel) => {
        const closing = channel.close(CloseCode.goingAway, "going away", "Drained", deadline)
        return Effect.tap(closing, ({ code }) =>
          Effect.sync(() => {
            if (code === CloseCode.abnormal) this.cutByDrain.set(channel, this.holderOf(channel))
          }))
      }, { concurrency: "unbounded", discard: true })
      return Effect.map(closes, () => {
        const cut = [...this.cutByDrain.values()]
        this.events.publish?.({ _tag: "Drained", cut: cut.length })
        return { took: Duration.millis(this.now() - since), cut, leftOpen: this.registry.channels.size }
      })
    })
  }

  private holderOf({ id, openedAt }: Channel): Holder {
    return { age: Duration.millis(this.now() - openedAt), label: id, site: undefined }
  }

  /** Closes all that are open now: with 1012, which asks them to come back, or without a word. */
  clear(interrupt: boolean): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach(
        [...this.registry.entries.values()],
        ({ channel }) => interrupt ? channel.terminate("Local") : channel.close(1012, "", "Local"),
        { concurrency: "unbounded", discard: true }
      )
    )
  }

  private open(ws: NodeWS.WebSocket, id: string, inbox: Inbox, onClosed: () => void): Channel {
    const { counts } = this.registry
    const channel = new Channel({
      id,
      socketName: this.settings.name,
      ws,
      limits: this.settings.send,
      inbox,
      clock: this.clock,
      listener: {
        onClosed,
        onMessage: (direction) => {
          if (direction === "in") counts.received++
          else counts.sent++
        },
        onWaiting: (change) => {
          counts.waiting += change
        }
      }
    })
    this.registry.channels.add(channel)
    return channel
  }

  private onClosed(entry: Entry, inbox: Inbox): void {
    const { channel } = entry
    const { counts } = this.registry
    this.registry.channels.delete(channel)
    if (this.registry.delete(entry)) {
      const why = channel.info?.why ?? "Peer"
      const counter = COUNTER[why]
      if (counter !== undefined) counts[counter]++
      this.events.publish?.({ _tag: "Closed", reason: closeReasonOf(why) })
    }
    if (isClean(channel)) inbox.end()
    else inbox.fail(channel.error("unknown"))
  }

  private refusal(id: string, key: string | undefined): Refusal | undefined {
    const { entries } = this.registry
    const { max, maxPerKey, name: socket } = this.settings
    if (this.draining) {
      return { error: new WebSocketError({ _tag: "Draining", socket }), code: CloseCode.goingAway, text: "going away" }
    }
    if (entries.size >= max) {
      const error = new WebSocketError({ _tag: "TooManyConnections", socket, max, key: undefined })
      return { error, code: CloseCode.tryAgainLater, text: "no room" }
    }
    if (key !== undefined && this.registry.ofKey(key).size >= maxPerKey) {
      const error = new WebSocketError({ _tag: "TooManyConnections", socket, max: maxPerKey, key })
      return { error, code: CloseCode.policyViolation, text: "too many connections" }
    }
    if (!entries.has(id)) return undefined
    const error = new WebSocketError({ _tag: "IdTaken", socket, connection: id })
    return { error, code: CloseCode.policyViolation, text: "id taken" }
  }

  private turnAway(channel: Channel, { code, error, text }: Refusal): Effect.Effect<unknown> {
    const { channels, counts, entries } = this.registry
    if (error.reason._tag === "Draining") counts.refusedDraining++
    else counts.refused++
    this.events.publishEach?.(error.reason._tag === "Draining" ? { _tag: "ClosedRefused" } : { _tag: "Refused" })
    // A flood of peers that do not answer close frames must not hold more sockets than are allowed to be open.
    if (channels.size - entries.size > this.settings.max) return channel.terminate("Local")
    return channel.close(code, text, "Local", REFUSED_LIMIT)
  }
}

const COUNTER: Partial<Record<CloseWhy, "dead" | "idle" | "slow">> = { Dead: "dead", Idle: "idle", SlowReader: "slow" }

const isClean = ({ info }: Channel): boolean =>
  info !== undefined &&
  (info.code === CloseCode.normal || info.code === CloseCode.goingAway || info.code === CloseCode.noStatus ||
    info.why === "Local" || info.why === "Drained")

/** Waits until none is left, at most `limit` milliseconds; who gave a sign of life has left the set. */
const answers = (silent: Set<Channel>, limit: number): Effect.Effect<unknown> =>
  Effect.callback<void>((resume) => {
    if (silent.size === 0) return resume(Effect.void)
    for (const channel of silent) {
      channel.ping(() => {
        silent.delete(channel)
        if (silent.size === 0) resume(Effect.void)
      })
    }
  }).pipe(Effect.timeoutOption(Duration.millis(limit)))
