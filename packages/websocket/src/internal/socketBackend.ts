/**
 * A reconnecting socket that runs, and what it shows to those who watch the process.
 *
 * @internal
 */
import type { Backend, Detail, Health } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import { EventHub } from "@breakwater/core/EventHub"
import * as Policy from "@breakwater/core/Policy"
import * as Pool from "@breakwater/core/Pool"
import { PoolError } from "@breakwater/core/PoolError"
import type { PoolEvent } from "@breakwater/core/PoolEvent"
import * as ReadyLine from "@breakwater/core/ReadyLine"
import * as Validate from "@breakwater/core/Validate"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as CloseCode from "../CloseCode.ts"
import { WebSocketError } from "../WebSocketError.ts"
import type { Settings } from "./clientSettings.ts"
import { connectFailed } from "./dial.ts"
import { Inbox } from "./inbox.ts"
import { answered, Reconnector } from "./reconnector.ts"
import { States } from "./states.ts"

export interface Parts {
  readonly reconnector: Reconnector
  readonly backend: Backend
}

/** How long the end of the scope waits for the outbox and the server, in milliseconds. */
const CLOSE_GRACE = 5000

/** In milliseconds. */
const HEALTH_LIMIT = 1000

/** A pool of the one connection, from which nothing is borrowed: what counts borrows stays 0. */
const poolStats = ({ counts, live, outbox, states }: Reconnector): Pool.Stats => ({
  ...Pool.emptyStats,
  used: live === undefined ? 0 : 1,
  opening: live === undefined && states.current._tag === "Connecting" ? 1 : 0,
  waiting: outbox.size,
  min: 1,
  max: 1,
  keep: 1,
  opened: counts.opened,
  closed: counts.closed
})

const detailOf = ({ create, lastFailedDial }: Reconnector): Detail => ({
  times: { create: create.snapshot() },
  holders: [],
  lastError: lastFailedDial
})

const health = (reconnector: Reconnector): Effect.Effect<Health> =>
  Effect.suspend(() => {
    const { channel } = reconnector
    if (channel === undefined) {
      return Effect.succeed<Health>({ status: "unhealthy", latency: Duration.zero, error: whyNotOpen(reconnector) })
    }
    const since = reconnector.now()
    return Effect.map(answered(channel, HEALTH_LIMIT), (alive): Health => {
      const latency = Duration.millis(reconnector.now() - since)
      if (alive) return { status: "healthy", latency }
      return { status: "unhealthy", latency, error: connectFailed(reconnector.settings, new Error("no answer")) }
    })
  })

const whyNotOpen = ({ draining, lastError, settings, states }: Reconnector): WebSocketError => {
  if (states.current._tag === "Closed" && states.current.error !== undefined) return states.current.error
  if (draining) return new WebSocketError({ _tag: "Draining", socket: settings.name })
  return lastError ?? connectFailed(settings, new Error("not connected yet"))
}

/** Waits until the socket is open; fails with why it is not when it is closed for good, or at the limit. */
export const awaitOpen = (reconnector: Reconnector, limit: number): Effect.Effect<void, WebSocketError> =>
  reconnector.states.decided.await.pipe(
    Effect.timeoutOrElse({ duration: limit, orElse: () => Effect.fail(whyNotOpen(reconnector)) }),
    Effect.andThen(
      Effect.suspend(() =>
        reconnector.states.current._tag === "Open" ? Effect.void : Effect.fail(whyNotOpen(reconnector))
      )
    )
  )

const drain = (
  reconnector: Reconnector,
  running: Fiber.Fiber<unknown>,
  deadline: number
): Effect.Effect<Pool.DrainReport> =>
  Effect.gen(function*() {
    const since = reconnector.now()
    reconnector.draining = true
    const { channel } = reconnector
    if (channel !== undefined) {
      yield* Effect.timeoutOption(reconnector.flush, deadline)
      const left = Math.max(0, since + deadline - reconnector.now())
      const { code } = yield* channel.close(CloseCode.normal, "", "Local", left)
      const age = Duration.millis(reconnector.now() - channel.openedAt)
      if (code === CloseCode.abnormal) {
        reconnector.cutByDrain.push({ age, label: channel.id, site: undefined })
      }
    }
    yield* Fiber.interrupt(running)
    reconnector.states.set({ _tag: "Closed", error: undefined })
    reconnector.inbox.end()
    const took = Duration.millis(reconnector.now() - since)
    return { took, cut: [...reconnector.cutByDrain], leftOpen: reconnector.live === undefined ? 0 : 1 }
  })

const backendOf = (reconnector: Reconnector, running: Fiber.Fiber<unknown>): Backend => {
  const { critical, handshake, name } = reconnector.settings
  const policy = Policy.make({ name })
  const unavailable = (cause: WebSocketError) => {
    const { failedInARow: failedDials } = reconnector.counts
    return new PoolError({ reason: { _tag: "Unavailable", pool: name, failedDials, cause } })
  }
  return {
    name,
    kind: "websocket",
    critical,
    stats: Effect.sync(() => poolStats(reconnector)),
    health: health(reconnector),
    policy: Effect.sync(() => Policy.snapshot(policy)),
    limits: { dial: Duration.millis(handshake) },
    events: reconnector.events.stream,
    changes: reconnector.events.changes,
    detail: Effect.sync(() => detailOf(reconnector)),
    warm: Effect.mapError(awaitOpen(reconnector, handshake), unavailable),
    clear: () => Effect.sync(() => reconnector.channel?.destroy("Dead")),
    drain: (deadline) => drain(reconnector, running, Validate.finiteMillis("deadline", deadline))
  }
}

const readyOf = (settings: Settings): ReadyLine.Options => {
  const { answer, dials, dropOldest, host, interval, maxMessage, outboxBytes, outboxMessages, per } = settings
  return {
    at: host,
    facts: {
      dials_at_most: dials,
      dials_per: Duration.millis(per),
      ping_every: Duration.millis(interval),
      answer_within: Duration.millis(answer),
      outbox_messages: outboxMessages,
      outbox_bytes: outboxBytes,
      outbox_full: dropOldest ? "drops the oldest" : "fails",
      receive_bytes: settings.receiveBuffer,
      message_bytes: maxMessage,
      tls: ReadyLine.tls(host.startsWith("wss:"), settings.tls)
    }
  }
}

/** An insecure connection to elsewhere shows whatever goes over it, the headers of the handshake first. */
const warnOfPlainText = ({ headers, host, name }: Settings): Effect.Effect<void> =>
  host.startsWith("ws:") && Object.keys(headers).length > 0 && !/^ws:\/\/(?:localhost|127\.|\[::1\])/.test(host)
    ? Effect.logWarning(`websocket "${name}": its headers go to ${host} in plain text; use wss`)
    : Effect.void

export const make = (settings: Settings): Effect.Effect<Parts, never, Scope.Scope> =>
  Effect.gen(function*() {
    yield* warnOfPlainText(settings)
    const events = yield* EventHub.make<PoolEvent>()
    const parts = {
      inbox: yield* Inbox.make(settings.receiveBuffer),
      states: yield* States.make,
      events,
      clock: yield* Clock.Clock
    }
    const reconnector = new Reconnector(settings, parts)
    const ended = Effect.map(reconnector.run, (error) => {
      if (error === undefined) return
      parts.states.set({ _tag: "Closed", error })
      parts.inbox.fail(error)
    })
    const running = yield* Effect.forkScoped(ended)
    yield* Effect.addFinalizer(() => Effect.andThen(drain(reconnector, running, CLOSE_GRACE), events.end))
    const backend = backendOf(reconnector, running)
    const times = { create: reconnector.create }
    yield* Pool.showMetrics(settings.name, { stats: () => poolStats(reconnector), times })
    yield* Backends.register(backend)
    yield* ReadyLine.write(backend, readyOf(settings))
    return { reconnector, backend }
  })
