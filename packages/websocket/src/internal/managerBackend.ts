/**
 * A manager with what watches over it, and what it shows to those who watch the process.
 *
 * @internal
 */
import type { Backend, Health } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import { EventHub } from "@breakwater/core/EventHub"
import * as LogLine from "@breakwater/core/LogLine"
import * as Policy from "@breakwater/core/Policy"
import * as Pool from "@breakwater/core/Pool"
import type { PoolEvent } from "@breakwater/core/PoolEvent"
import * as ReadyLine from "@breakwater/core/ReadyLine"
import * as Validate from "@breakwater/core/Validate"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { WebSocketError } from "../WebSocketError.ts"
import { Manager } from "./manager.ts"
import type { Settings } from "./settings.ts"

export interface Parts {
  readonly manager: Manager
  readonly backend: Backend
}

/** How long the end of the scope waits for the peers, in milliseconds. */
const CLOSE_GRACE = 5000

/** Connections are the peers' and nothing is borrowed: what counts borrows stays 0, but for sends that wait. */
const poolStats = ({ registry, settings }: Manager): Pool.Stats => {
  const { counts, entries } = registry
  return {
    ...Pool.emptyStats,
    used: entries.size,
    waiting: counts.waiting,
    max: settings.max,
    keep: settings.max,
    opened: counts.opened,
    closed: counts.closed,
    refused: counts.refused,
    refusedClosed: counts.refusedDraining
  }
}

/** There is no server to ask: a manager is well while it lets peers in. */
const healthOf = (manager: Manager): Health =>
  manager.draining
    ? {
      status: "unhealthy",
      latency: Duration.zero,
      error: new WebSocketError({ _tag: "Draining", socket: manager.settings.name })
    }
    : { status: "healthy", latency: Duration.zero }

const backendOf = (manager: Manager): Backend => {
  const { critical, name, poolType, profile } = manager.settings
  const policy = Policy.make({ name })
  return {
    name,
    kind: "websocket",
    critical,
    profile,
    poolType,
    stats: Effect.sync(() => poolStats(manager)),
    health: Effect.sync(() => healthOf(manager)),
    policy: Effect.sync(() => Policy.snapshot(policy)),
    events: Stream.unwrap(Effect.sync(() => manager.events.stream)),
    changes: Stream.unwrap(Effect.sync(() => manager.events.changes)),
    particulars: Effect.sync(() => ({ ids: [...manager.registry.entries.keys()] })),
    warm: Effect.void,
    clear: (options) => manager.clear(options?.interrupt ?? false),
    drain: (deadline) => manager.drain(Validate.finiteMillis("deadline", deadline))
  }
}

const watch = (manager: Manager): Effect.Effect<void, never, Scope.Scope> => {
  const heartbeat = Effect.andThen(Effect.sleep(manager.settings.interval), manager.healthCheck)
  const idle = Effect.flatMap(Effect.sync(() => manager.sweep()), (next) => Effect.sleep(next))
  return Effect.gen(function*() {
    yield* Effect.forkScoped(Effect.forever(heartbeat))
    yield* Effect.forkScoped(Effect.forever(idle))
  })
}

const factsOf = (settings: Settings): LogLine.Facts => {
  const { answer, idle, interval, maxMessage, maxPerKey, receiveBuffer, send } = settings
  return {
    per_key: maxPerKey,
    ping_every: Duration.millis(interval),
    answer_within: Duration.millis(answer),
    idle: Duration.millis(idle),
    send_bytes: send.buffer,
    send_within: Duration.millis(send.timeout),
    receive_bytes: receiveBuffer,
    message_bytes: maxMessage
  }
}

export const make = (settings: Settings): Effect.Effect<Parts, never, Scope.Scope> =>
  Effect.gen(function*() {
    for (const warning of settings.warnings) yield* Effect.logWarning(`websocket "${settings.name}": ${warning}`)
    const events = yield* EventHub.make<PoolEvent>()
    const manager = new Manager(settings, events, yield* Clock.Clock)
    yield* Effect.addFinalizer(() => Effect.andThen(manager.drain(CLOSE_GRACE), events.end))
    yield* watch(manager)
    const backend = backendOf(manager)
    const { counts } = manager.registry
    yield* Pool.showMetrics(settings.name, {
      stats: () => poolStats(manager),
      times: {},
      lost: { pingTimeout: () => counts.dead, slowReader: () => counts.slow }
    })
    yield* Backends.register(backend)
    yield* ReadyLine.write(backend, { facts: factsOf(settings) })
    return { manager, backend }
  })
