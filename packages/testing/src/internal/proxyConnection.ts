/**
 * One connection through the proxy: the client's socket, the target's, and a lane for each direction. Dialling the
 * target, every chunk, an end and a reset are all steps of a lane, so that a fault holds them back alike.
 */
import * as Net from "node:net"
import { type Connection, type Direction, type Fault, type Packet, type Passage, passageOf } from "./faults/model.ts"
import * as Lane from "./lane.ts"
import type { Timer } from "./timer.ts"

/** Above this many bytes held back the sender is no longer read, as with a full TCP window. */
const maxHeld = 1024 * 1024

/** How long the other side of a cut connection has for its own FIN. */
const lingerMillis = 1_000

export interface Options {
  readonly target: () => { readonly host: string; readonly port: number }
  readonly index: number
  /** The faults that are on already. */
  readonly faults: Iterable<Fault>
  readonly now: () => number
  readonly timer: Timer
  readonly onPassed: (packet: Packet) => void
  readonly onClosed: () => void
}

export class ProxyConnection implements Connection {
  readonly index: number
  readonly now: () => number
  readonly #client: Net.Socket
  readonly #upstream = new Net.Socket({ allowHalfOpen: true })
  readonly #options: Options
  readonly #passages = new Map<string, Passage>()
  readonly #up: Lane.Lane
  readonly #down: Lane.Lane
  #clientOpen = true
  #dialled = false
  /** By a cut, a reset or the end of the proxy: nothing passes any more. */
  #ended = false
  #cancelLinger: (() => void) | undefined

  constructor(client: Net.Socket, options: Options) {
    this.index = options.index
    this.now = options.now
    this.#client = client
    this.#options = options
    for (const event of ["end", "close"]) {
      client.once(event, () => {
        this.#clientOpen = false
      })
    }
    this.#up = this.#lane("up", client, this.#upstream)
    this.#down = this.#lane("down", this.#upstream, client)
    for (const fault of options.faults) this.#adopt(fault)
    this.#up.push({ direction: "up", kind: "open", bytes: 0 }, () => this.#dial())
  }

  /** Whether the client still holds its end. */
  isOpen(): boolean {
    return this.#clientOpen
  }

  begin(fault: Fault): void {
    this.#adopt(fault)
    fault.strike?.(this)
  }

  restore(): void {
    this.#passages.clear()
    this.#up.release()
    this.#down.release()
  }

  cut(): void {
    if (this.#ended) return
    this.#cancelLinger = this.#options.timer(lingerMillis, () => this.destroy())
    this.#end((socket) => this.#sendFin(socket))
  }

  reset(): void {
    if (!this.#ended) this.#end((socket) => this.#sendRst(socket))
  }

  end(direction: Direction): void {
    const [lane, to] = direction === "up" ? [this.#up, this.#upstream] : [this.#down, this.#client]
    lane.push({ direction, kind: "end", bytes: 0 }, () => to.end())
  }

  destroy(): void {
    this.#end((socket) => socket.destroy())
  }

  #adopt(fault: Fault): void {
    const passage = passageOf(fault, this)
    if (passage !== undefined) this.#passages.set(fault.name, passage)
  }

  #dial(): void {
    // A client that gave up while its opening was held back was never heard of by the target.
    if (!this.#clientOpen) return this.destroy()
    this.#dialled = true
    this.#upstream.setNoDelay(true)
    this.#upstream.connect(this.#options.target())
  }

  #lane(direction: Direction, from: Net.Socket, to: Net.Socket): Lane.Lane {
    const regulate = () => {
      if (this.#ended) return
      if (lane.held() > maxHeld || to.writableNeedDrain) from.pause()
      else if (from.isPaused()) from.resume()
    }
    const lane = Lane.make({
      hold: (packet) => this.#passages.values().reduce((sum, { hold }) => sum + (hold?.(packet) ?? 0), 0),
      now: this.#options.now,
      timer: this.#options.timer,
      onMoved: regulate
    })
    from.on("data", (chunk: Buffer) => {
      for (const piece of this.#split(direction, chunk)) {
        const packet: Packet = { direction, kind: "data", bytes: piece.length }
        lane.push(packet, () => this.#pass(packet, to, piece))
      }
      regulate()
    })
    from.on("end", () => this.#ended ? from.destroy() : this.end(direction))
    from.on("error", () => {}) // "close" follows, and tells
    from.on("close", (failed: boolean) => {
      if (!this.#ended) lane.push({ direction, kind: "end", bytes: 0 }, () => failed ? this.#sendRst(to) : to.end())
      this.#settle()
    })
    to.on("drain", regulate)
    return lane
  }

  /** Asks for the limit of each piece once the one before it is taken; stops when that ended the connection. */
  *#split(direction: Direction, chunk: Buffer): Generator<Buffer, void> {
    for (let at = 0; at < chunk.length && !this.#ended;) {
      const limits = this.#passages.values().map(({ limit }) => limit?.(direction) ?? Infinity)
      const end = limits.reduce((least, limit) => Math.min(least, at + limit), chunk.length)
      yield chunk.subarray(at, end)
      at = end
    }
  }

  #pass(packet: Packet, to: Net.Socket, piece: Buffer): void {
    if (this.#ended || to.destroyed || to.writableEnded) return
    to.write(piece)
    this.#options.onPassed(packet)
    for (const { passed } of this.#passages.values()) passed?.(packet)
  }

  #end(close: (socket: Net.Socket) => void): void {
    this.#ended = true
    this.#clientOpen = false
    this.#up.clear()
    this.#down.clear()
    close(this.#client)
    close(this.#upstream)
    this.#settle()
  }

  #sendRst(socket: Net.Socket): void {
    if (socket === this.#upstream && !this.#dialled) socket.destroy()
    else if (!socket.destroyed) socket.resetAndDestroy()
  }

  #sendFin(socket: Net.Socket): void {
    if (socket === this.#upstream && !this.#dialled) {
      socket.destroy()
    } else if (!socket.destroyed) {
      socket.resume() // unread bytes would turn the FIN into a RST
      socket.end()
      if (socket.readableEnded) socket.destroy()
    }
  }

  #settle(): void {
    if (!this.#client.destroyed || !this.#upstream.destroyed && (this.#dialled || !this.#ended)) return
    this.#cancelLinger?.()
    this.#options.onClosed()
  }
}
