/**
 * A responder that speaks MongoDB's protocol on 127.0.0.1, for where there is no MongoDB: handshake, ping, insert, find,
 * update, delete, count, and faults on command. It proves a driver, its pool and how failures are handled; it proves
 * nothing about MongoDB, and `MongoServer` says where it stands in for one.
 *
 * It lives in this process and ends with the scope. `kill` cuts every connection and refuses new ones, as the death of
 * a server does; its documents are there again after `start`.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Stats } from "./internal/listener.ts"
import * as Listener from "./internal/mongo/listener.ts"
import { failure, Store } from "./internal/mongo/store.ts"
import type { Document, Request } from "./internal/mongo/wire.ts"
import * as Ports from "./internal/ports.ts"
import type { MongoServerError } from "./MongoServerError.ts"

export type { Stats } from "./internal/listener.ts"

/**
 * What befalls the next commands of a name.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fault {
  /** Name of the command, as in `find`; `"*"` for every one but the handshake. */
  readonly command: string
  /** How many of them. Default: all, until `heal`. */
  readonly times?: number | undefined
  /** Answered this much later; where the command has a `maxTimeMS` that ends before, with `MaxTimeMSExpired` then. */
  readonly delay?: Duration.Input | undefined
  /** The answer, in place of what the command would do. */
  readonly error?: {
    readonly code: number
    readonly codeName: string
    readonly labels?: ReadonlyArray<string> | undefined
    /** Sent with an overload: when to come back. */
    readonly baseBackoffMS?: number | undefined
  } | undefined
  /** The connection is cut: before the command takes effect, or after it has and before the answer. */
  readonly cut?: "before" | "after" | undefined
}

/**
 * A responder.
 *
 * @since 0.1.0
 * @category models
 */
export interface FakeMongo {
  readonly host: string
  readonly port: number
  /** Cuts every connection and refuses new ones. Nothing when it is down already. */
  readonly kill: Effect.Effect<void>
  /** On the same port. Nothing when it runs already. */
  readonly start: Effect.Effect<void, MongoServerError>
  readonly isRunning: Effect.Effect<boolean>
  /** Open connections, those that monitor included; with a name, those of the application of that name. */
  readonly connections: (appName?: string) => Effect.Effect<number>
  /** All connections since the responder was made. */
  readonly stats: Effect.Effect<Stats>
  /** Ends them; how many. */
  readonly killClients: (appName?: string) => Effect.Effect<number>
  /** Later faults come before earlier ones. */
  readonly fail: (fault: Fault) => Effect.Effect<void>
  /** Forgets every fault. What is delayed stays so. */
  readonly heal: Effect.Effect<void>
  /** How often a command of this name has arrived. */
  readonly received: (command: string) => Effect.Effect<number>
}

const HELLO = new Set(["hello", "ismaster", "isMaster"])

const hello = (connectionId: number): Document => ({
  helloOk: true,
  ismaster: true,
  isWritablePrimary: true,
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  localTime: new Date(0),
  logicalSessionTimeoutMinutes: 30,
  connectionId,
  minWireVersion: 0,
  maxWireVersion: 21,
  readOnly: false,
  ok: 1
})

const administration = new Set(["ping", "endSessions", "killCursors", "abortTransaction", "commitTransaction"])

class Faults {
  private armed: Array<{ readonly fault: Fault; left: number }> = []

  add(fault: Fault): void {
    this.armed.unshift({ fault, left: fault.times ?? Infinity })
  }

  take(name: string): Fault | undefined {
    const entry = this.armed.find(({ fault }) => fault.command === name || fault.command === "*")
    if (entry !== undefined && --entry.left <= 0) this.armed.splice(this.armed.indexOf(entry), 1)
    return entry?.fault
  }

  clear(): void {
    this.armed = []
  }
}

/** What one command leads to. */
class Responder {
  readonly faults = new Faults()
  readonly received = new Map<string, number>()
  private readonly store = new Store()

  respond(connection: Listener.Connection, request: Request): void {
    const [name = ""] = Object.keys(request.command)
    this.received.set(name, (this.received.get(name) ?? 0) + 1)
    if (HELLO.has(name)) {
      connection.appName ??= request.command["client"]?.application?.name
      connection.answer(request, hello(connection.id))
      return
    }
    const fault = this.faults.take(name)
    if (fault?.cut === "before") return connection.cut()
    const delay = fault?.delay === undefined ? 0 : Duration.toMillis(Duration.fromInputUnsafe(fault.delay))
    const limit = Number(request.command["maxTimeMS"] ?? Infinity)
    if (limit < delay) {
      connection.after(
        limit,
        () => connection.answer(request, failure(50, "MaxTimeMSExpired", "operation exceeded time limit"))
      )
      return
    }
    connection.after(delay, () => {
      const answer = this.answer(name, request.command, fault)
      if (fault?.cut === "after") connection.cut()
      else connection.answer(request, answer)
    })
  }

  private answer(name: string, command: Document, fault: Fault | undefined): Document {
    if (fault?.error !== undefined) {
      const { baseBackoffMS, code, codeName, labels = [] } = fault.error
      const backoff = baseBackoffMS === undefined ? {} : { baseBackoffMS }
      return { ...failure(code, codeName, `${codeName}, as was asked for`), errorLabels: [...labels], ...backoff }
    }
    if (administration.has(name)) return { ok: 1 }
    if (name === "saslStart") return failure(18, "AuthenticationFailed", "Authentication failed.")
    return this.store.run(command) ?? failure(59, "CommandNotFound", `no such command: '${name}'`)
  }
}

/**
 * Gets a responder for the life of the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<FakeMongo, MongoServerError, Scope.Scope> = Effect.gen(function*() {
  const responder = new Responder()
  const listener = yield* Listener.make((connection, request) => responder.respond(connection, request))
  return {
    host: Ports.host,
    port: listener.port,
    kill: Effect.andThen(listener.close, listener.end("destroy")),
    start: listener.open,
    isRunning: Effect.sync(listener.isListening),
    connections: (appName) => Effect.sync(() => listener.connections(appName).length),
    stats: listener.stats,
    killClients: (appName) =>
      Effect.sync(() => {
        const found = listener.connections(appName)
        for (const connection of found) connection.cut()
        return found.length
      }),
    fail: (fault) => Effect.sync(() => responder.faults.add(fault)),
    heal: Effect.sync(() => responder.faults.clear()),
    received: (command) => Effect.sync(() => responder.received.get(command) ?? 0)
  }
})
