/**
 * ioredis for one connection, never more: it does not reconnect, keep commands for later or send them again. What would
 * harm those who share a connection is refused before it is written.
 *
 * @internal
 */
import * as Activity from "@breakwater/core/Activity"
import type { Command, RedisOptions } from "ioredis"
import { Redis as IoRedis } from "ioredis"
import { RedisError } from "../RedisError.ts"
import { blocksFor, effectOf } from "./commands.ts"
import { errorText, NotSent } from "./driverError.ts"

/** How long a goodbye may take before the socket is destroyed, in milliseconds. */
const CLOSE_GRACE = 500

/** Replies have the shapes that the types of ioredis give them by default. */
export type DriverOptions = Omit<RedisOptions, "replyMapping">

const NEVER: DriverOptions = {
  lazyConnect: true,
  retryStrategy: null,
  enableOfflineQueue: false,
  enableReadyCheck: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  disconnectTimeout: CLOSE_GRACE,
  // A probe must not stand in line behind what it probes; the others change or hold the connection.
  autoPipeliningIgnoredCommands: ["ping", "exec", "discard", "watch", "unwatch"]
}

const OPENING = new Set(["wait", "connecting", "connect"])

type Destination = Parameters<IoRedis["sendCommand"]>[1]

export class Driver extends IoRedis {
  private readonly owner: string
  /** Several callers use it at once. */
  private isShared = false
  /** MULTI was sent and no EXEC. */
  private inTransaction = false
  private isWatching = false
  private isChanged = false
  private isCorked = false
  /** What the server answered while the connection was opened: ioredis forgets it when the server then hangs up. */
  firstError: unknown
  /** Commands that were handed to the socket. */
  written = 0
  /** Of whoever has it for himself. */
  activity = Activity.make()
  /** Monotonic milliseconds. */
  private readonly now: () => number

  constructor(owner: string, options: DriverOptions, now: () => number) {
    super({ ...options, ...NEVER })
    this.owner = owner
    this.now = now
    this.on("error", ignore)
    this.on("connect", () => {
      // ioredis hears the first error of a socket only; a second one would end the process.
      this.stream.on("error", ignore)
      this.stream.setKeepAlive(true, KEEP_ALIVE.idle, KEEP_ALIVE.interval, KEEP_ALIVE.probes)
    })
  }

  get isAlive(): boolean {
    return this.status === "ready" && this.stream.writable && !this.stream.destroyed && !this.stream.readableEnded
  }

  /** Whether somebody else may use it: nothing is under way, and it is as it was opened. */
  get isClean(): boolean {
    return this.commandQueue.length === 0 && !this.inTransaction && !this.isWatching && !this.isChanged
  }

  /** Checks that were made meanwhile are not what its borrower does. */
  lent(): void {
    this.activity = Activity.make()
  }

  share(): void {
    this.isShared = true
    this.options.enableAutoPipelining = true
    // Packed together with others, ioredis 6 takes the first argument of callBuffer for the command.
    const callBuffer: (...args: Array<never>) => unknown = this.callBuffer.bind(this)
    Reflect.set(this, "callBuffer", (...args: Array<never>): unknown => {
      this.options.enableAutoPipelining = false
      try {
        return callBuffer(...args)
      } finally {
        this.options.enableAutoPipelining = true
      }
    })
  }

  destroy(): void {
    this.disconnect()
    // Not there yet when the dial has only just begun.
    const stream: IoRedis["stream"] | undefined = this.stream
    stream?.destroy()
  }

  override sendCommand(command: Command, destination?: Destination): unknown {
    if (OPENING.has(this.status)) return this.sendFirst(command, destination)
    if (!this.isAlive) return rejected(command, new NotSent("the connection is gone"))
    const refusal = this.note(nameOf(command), command.args, destination !== undefined)
    if (refusal === undefined) {
      this.written++
      if (!this.isShared) this.count(command)
      return super.sendCommand(command, destination)
    }
    // A pipeline is written as a whole once each of its commands has been.
    destination?.write("")
    return rejected(command, refusal)
  }

  private sendFirst(command: Command, destination: Destination): unknown {
    // In one packet: where a server has no room and hangs up, a second one would fail before its answer is read.
    if (!this.isCorked) {
      const { stream } = this
      this.isCorked = true
      stream.cork()
      process.nextTick(() => stream.uncork())
    }
    command.promise.catch((error: unknown) => {
      if (errorText(error) !== undefined) this.firstError ??= error
    })
    return super.sendCommand(command, destination)
  }

  /** Here, where also those pass that the program sends by ioredis itself. */
  private count({ promise }: Command): void {
    const { activity } = this
    const end = () => activity.end(this.now())
    activity.begin(this.now())
    promise.then(end, end)
  }

  /** Remembers what a command does to the connection, or says why it must not be sent. */
  private note(name: string, args: ReadonlyArray<unknown>, pipelined: boolean): RedisError | undefined {
    const effect = effectOf(name, args)
    if (effect === "transaction" && (pipelined || !this.isShared)) this.noteTransaction(name)
    else if (this.isShared && (effect !== "none" || blocksFor(name, args) !== undefined)) return this.refusal(name)
    else if (effect === "watching") this.isWatching = name === "watch"
    else if (effect === "lasting") this.isChanged = true
    return undefined
  }

  private noteTransaction(name: string): void {
    this.inTransaction = name === "multi"
    if (!this.inTransaction) this.isWatching = false
    else if (this.isShared) queueMicrotask(this.endForgotten)
  }

  /** A pipeline is written in one go: what is open after it stays open, and would take in the commands of others. */
  private readonly endForgotten = (): void => {
    if (this.inTransaction) this.destroy()
  }

  private refusal(command: string): RedisError {
    return new RedisError({
      _tag: "Misused",
      redis: this.owner,
      command,
      remedy: "it blocks or changes the connection, which others share. Use reserve, transaction or subscribe."
    })
  }
}

/** The guides' values, in milliseconds. */
const KEEP_ALIVE = { idle: 1000, interval: 1000, probes: 5 }

const ignore = (): void => {}

/** A program without types may give anything as a name, and what is thrown here nobody catches. */
const nameOf = ({ name }: { readonly name: unknown }): string => typeof name === "string" ? name.toLowerCase() : ""

const rejected = (command: Command, error: Error): unknown => {
  command.reject(error)
  return command.promise
}
