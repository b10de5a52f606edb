/**
 * One connection through the proxy: the client's socket, the target's, and a lane for each direction. Dialling the
 * target, every chunk, an end and a reset are all steps of a lane, so that a fault holds them back alike.
 */
import * as Net from "node:net"
import type { Connection, Fault, Packet, Passage } from "../Fault.ts"
import * as Lane from "./lane.ts"

/** Above this many bytes held back the sender is no longer read, as with a full TCP window. */
const maxHeld = 1024 * 1024

/** How long the other side of a cut connection has for its own FIN. */
const lingerMillis = 1_000

export interface Options {
  readonly target: () => { readonly host: string; readonly port: number }
  /** The faults that are on already. */
  readonly faults: Iterable<Fault>
  readonly now: () => number
  readonly timer: Lane.Timer
  readonly onPassed: (packet: Packet) => void
  readonly onClosed: () => void
}

export class ProxyConnection implements Connection {
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
    this.#up.push(0, () => this.#dial())
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

  destroy(): void {
    this.#end((socket) => socket.destroy())
  }

  #adopt(fault: Fault): void {
    if (fault.passage !== undefined) this.#passages.set(fault.name, fault.passage(this))
  }

  #dial(): void {
    // A client that gave up while its opening was held back was never heard of by the target.
    if (!this.#clientOpen) return this.destroy()
    this.#dialled = true
    this.#upstream.setNoDelay(true)
    this.#upstream.connect(this.#options.target())
  }

  #lane(direction: Packet["direction"], from: Net.Socket, to: Net.Socket): Lane.Lane {
    const regulate = () => {
      if (this.#ended) return
      if (lane.held() > maxHeld || to.writableNeedDrain) from.pause()
      else if (from.isPaused()) from.resume()
    }
    const lane = Lane.make({
      hold: (bytes) => this.#passages.values().reduce((sum, passage) => sum + passage({ direction, bytes }), 0),
      now: this.#options.now,
      timer: this.#options.timer,
      onMoved: regulate
    })
    from.on("data", (chunk: Buffer) => {
      if (this.#ended) return
      lane.push(chunk.length, () => this.#pass(direction, to, chunk))
      regulate()
    })
    from.on("end", () => this.#ended ? from.destroy() : lane.push(0, () => to.end()))
    from.on("error", () => {}) // "close" follows, and tells
    from.on("close", (failed: boolean) => {
      if (!this.#ended) lane.push(0, () => failed ? this.#sendRst(to) : to.end())
      this.#settle()
    })
    to.on("drain", regulate)
    return lane
  }

  #pass(direction: Packet["direction"], to: Net.Socket, chunk: Buffer): void {
    if (this.#ended || to.destroyed || to.writableEnded) return
    to.write(chunk)
    this.#options.onPassed({ direction, bytes: chunk.length })
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
