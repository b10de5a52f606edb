/**
 * The life of a reconnecting socket: dial, greet, be open, end; and how long to wait before the next.
 *
 * @internal
 */
import type { EventHub } from "@breakwater/core/EventHub"
import * as Histogram from "@breakwater/core/Histogram"
import * as Monotonic from "@breakwater/core/Monotonic"
import type { LastError } from "@breakwater/core/Pool"
import type { Holder } from "@breakwater/core/PoolError"
import type { PoolEvent } from "@breakwater/core/PoolEvent"
import type * as NodeWS from "@effect/platform-node/NodeWS"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as CloseCode from "../CloseCode.ts"
import { WebSocketError } from "../WebSocketError.ts"
import { Budget } from "./budget.ts"
import { Channel } from "./channel.ts"
import type { Settings } from "./clientSettings.ts"
import { closeReasonOf } from "./closeReason.ts"
import { connectFailed, dial } from "./dial.ts"
import { type Inbox, type Message, sizeOf } from "./inbox.ts"
import { Outbox } from "./outbox.ts"
import type { States } from "./states.ts"

/** Sends of `onOpen` that may wait at once. */
const GREETINGS = 64

type Step = (now: number, input: unknown) => Pull.Pull<[unknown, Duration.Duration], never, unknown>

/** How a connection ended, or why there was none. */
interface Ended {
  readonly error: WebSocketError
  readonly reaction: CloseCode.Reaction
}

export class Reconnector {
  readonly settings: Settings
  readonly outbox: Outbox
  readonly inbox: Inbox
  readonly states: States
  readonly events: EventHub<PoolEvent>
  readonly clock: Clock.Clock
  readonly counts = { dials: 0, opened: 0, closed: 0, failedInARow: 0, sent: 0, received: 0 }
  /** The connection that takes what is sent. */
  channel: Channel | undefined
  /** Opened, and not yet closed. */
  live: Channel | undefined
  lastError: WebSocketError | undefined
  /** How long dials took. */
  readonly create = Histogram.make()
  lastFailedDial: LastError | undefined
  draining = false
  /** By whichever drain: who asks again hears of the same. */
  readonly cutByDrain: Array<Holder> = []
  private readonly budget: Budget
  private readonly flushed = new Set<() => void>()

  constructor(settings: Settings, parts: {
    readonly inbox: Inbox
    readonly states: States
    readonly events: EventHub<PoolEvent>
    readonly clock: Clock.Clock
  }) {
    this.settings = settings
    this.outbox = new Outbox(settings)
    this.budget = new Budget(settings.dials, settings.per)
    this.inbox = parts.inbox
    this.states = parts.states
    this.events = parts.events
    this.clock = parts.clock
  }

  now(): number {
    return Monotonic.millis(this.clock)
  }

  send(message: Message): Effect.Effect<void, WebSocketError> {
    return Effect.suspend(() => {
      const { name: socket, outboxBytes: max, outboxMessages } = this.settings
      const state = this.states.current
      if (state._tag === "Closed") {
        return Effect.fail(state.error ?? new WebSocketError({ _tag: "Draining", socket }))
      }
      if (this.draining) return Effect.fail(new WebSocketError({ _tag: "Draining", socket }))
      const bytes = sizeOf(message)
      if (bytes > max) return Effect.fail(new WebSocketError({ _tag: "MessageTooLarge", socket, bytes, max }))
      // What can go at once needs no place.
      this.pump()
      if (this.outbox.size === 0 && this.channel?.trySend(message, bytes) === true) return Effect.void
      const unit = this.outbox.offer(message)
      if (unit === undefined) return Effect.void
      const limit = unit === "bytes" ? max : outboxMessages
      return Effect.fail(new WebSocketError({ _tag: "BufferFull", socket, limit, unit }))
    })
  }

  /** Waits until the outbox is empty, for ever where there is no connection. */
  get flush(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const done = () => resume(Effect.void)
      if (this.outbox.size === 0) return done()
      this.flushed.add(done)
      return Effect.sync(() => this.flushed.delete(done))
    })
  }

  /** Ends when the socket does; with the error for which it gave up, if any. */
  get run(): Effect.Effect<WebSocketError | undefined> {
    return Effect.gen({ self: this }, function*() {
      let step: Step = yield* Schedule.toStep(this.settings.schedule)
      for (let attempt = 1;; attempt++) {
        const opened = this.counts.opened
        const since = this.now()
        this.states.set({ _tag: "Connecting", attempt })
        const ended = yield* Effect.scoped(this.connection)
        if (ended === undefined) return undefined
        this.lastError = ended.error
        if (ended.reaction === "stop") return this.givenUp("Refused", ended.error)
        if (this.counts.opened > opened && this.now() - since >= this.settings.stableAfter) {
          step = yield* Schedule.toStep(this.settings.schedule)
          attempt = 0
        }
        const delay = yield* this.delay(step, ended)
        if (delay === undefined) return this.givenUp("Schedule", ended.error)
        this.states.set({ _tag: "Waiting", attempt: attempt + 1, retryIn: Duration.millis(delay), cause: ended.error })
        yield* Effect.sleep(delay)
      }
    })
  }

  /** One connection, from its dial to its end; undefined when this side ended it. */
  private get connection(): Effect.Effect<Ended | undefined, never, Scope.Scope> {
    const { handshake } = this.settings
    return Effect.gen({ self: this }, function*() {
      const since = this.now()
      this.counts.dials++
      this.budget.spend(since)
      const channel = yield* Effect.timeoutOrElse(this.greeted, {
        duration: handshake,
        orElse: () => Effect.fail(connectFailed(this.settings, new Error(`no connection within ${handshake} ms`)))
      })
      this.counts.failedInARow = 0
      this.counts.opened++
      const took = this.now() - since
      this.create.record(took)
      this.events.publish?.({ _tag: "Dialed", took: Duration.millis(took) })
      yield* Effect.forkScoped(this.heartbeat(channel))
      this.channel = channel
      this.states.set({
        _tag: "Open",
        connection: this.counts.opened,
        since: this.clock.currentTimeMillisUnsafe()
      })
      this.pump()
      const info = yield* Deferred.await(channel.closed)
      if (info.why === "Local" || info.why === "Drained") return undefined
      const reaction = info.why === "Peer" ? CloseCode.reaction(info.code) : "retry"
      return { error: channel.error("unknown"), reaction }
    }).pipe(
      Effect.catch((error) => Effect.sync(() => this.failedToOpen(error))),
      Effect.onExit(() =>
        Effect.sync(() => {
          this.channel = undefined
        })
      )
    )
  }

  /** Dials, and lets the program say its first words. */
  private get greeted(): Effect.Effect<Channel, WebSocketError, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      const channel = yield* dial(this.settings, this.clock, (ws) => this.adopt(ws))
      const session = { connection: this.counts.opened + 1, send: (message: Message) => channel.send(message) }
      const lost = Effect.flatMap(Deferred.await(channel.closed), () => Effect.fail(channel.error("unknown")))
      const greeting = Effect.mapError(
        Effect.suspend(() => this.settings.onOpen(session)),
        (cause) => connectFailed(this.settings, cause)
      )
      yield* Effect.raceFirst(greeting, lost)
      return channel
    })
  }

  private adopt(ws: NodeWS.WebSocket): Channel {
    const channel = new Channel({
      id: String(this.counts.opened + 1),
      socketName: this.settings.name,
      ws,
      limits: { buffer: this.settings.outboxBytes, timeout: this.settings.handshake, maxWaiting: GREETINGS },
      inbox: this.inbox,
      clock: this.clock,
      listener: {
        onClosed: ({ why }) => {
          this.counts.closed++
          this.live = undefined
          this.events.publish?.({ _tag: "Closed", reason: closeReasonOf(why) })
        },
        onRoom: () => this.pump(),
        onMessage: (direction) => {
          if (direction === "in") this.counts.received++
          else this.counts.sent++
        }
      }
    })
    this.live = channel
    return channel
  }

  private failedToOpen(error: WebSocketError): Ended {
    this.counts.failedInARow++
    this.lastFailedDial = { at: this.clock.currentTimeMillisUnsafe(), error }
    this.events.publish?.({
      _tag: "DialFailed",
      cause: error,
      failedDials: this.counts.failedInARow,
      retryIn: Duration.zero
    })
    return { error, reaction: reactionTo(error) }
  }

  private pump(): void {
    for (let message = this.outbox.first; message !== undefined; message = this.outbox.first) {
      if (this.channel?.trySend(message, sizeOf(message)) !== true) return
      this.outbox.shift()
    }
    for (const done of this.flushed) done()
  }

  private heartbeat(channel: Channel): Effect.Effect<void> {
    const { answer, interval } = this.settings
    const beat = Effect.gen(function*() {
      yield* Effect.sleep(interval)
      const alive = yield* answered(channel, answer)
      if (!alive && channel.isRead) channel.destroy("Dead")
    })
    return Effect.forever(beat)
  }

  /** Milliseconds until the next dial; undefined when the schedule has ended. */
  private delay(step: Step, { error, reaction }: Ended): Effect.Effect<number | undefined> {
    return Effect.gen({ self: this }, function*() {
      const next = step(this.clock.currentTimeMillisUnsafe(), error)
      const drawn = yield* Pull.catchDone(
        Effect.map(next, ([, delay]) => Duration.toMillis(delay)),
        () => Effect.undefined
      )
      if (drawn === undefined) return undefined
      const asked = error.reason._tag === "ConnectFailed" ? error.reason.retryAfter : undefined
      const later = reaction === "later"
        ? Math.max(this.settings.tryAgainAfter, asked === undefined ? 0 : Duration.toMillis(asked))
        : 0
      // The jitter comes on top, so that those it sent away do not all come back at once.
      return Math.max(later + drawn, this.budget.wait(this.now()))
    })
  }

  private givenUp(why: "Refused" | "Schedule", cause: WebSocketError): WebSocketError {
    return new WebSocketError({ _tag: "GivenUp", socket: this.settings.name, why, cause })
  }
}

const reactionTo = ({ reason }: WebSocketError): CloseCode.Reaction => {
  if (reason._tag === "ConnectionClosed") return CloseCode.reaction(reason.code)
  if (reason._tag !== "ConnectFailed" || reason.status === undefined) return "retry"
  return CloseCode.reactionToStatus(reason.status)
}

/** Whether the peer gives a sign of life within `limit` milliseconds. */
export const answered = (channel: Channel, limit: number): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => channel.ping(() => resume(Effect.succeed(channel.isOpen)))).pipe(
    Effect.timeoutOrElse({ duration: limit, orElse: () => Effect.succeed(false) })
  )
