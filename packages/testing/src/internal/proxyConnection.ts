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

export interface ProxyConnection extends Connection {
  readonly begin: (fault: Fault) => void
  readonly restore: () => void
  readonly destroy: () => void
  /** Whether the client still holds its end. */
  readonly isOpen: () => boolean
}

export const make = (client: Net.Socket, options: {
  readonly target: () => { readonly host: string; readonly port: number }
  /** The faults that are on already. */
  readonly faults: Iterable<Fault>
  readonly now: () => number
  readonly timer: Lane.Timer
  readonly onPassed: (packet: Packet) => void
  readonly onClosed: () => void
}): ProxyConnection => {
  const upstream = new Net.Socket({ allowHalfOpen: true })
  const passages = new Map<string, Passage>()
  let clientOpen = true
  let dialled = false
  let ended = false
  let cancelLinger: (() => void) | undefined

  const lane = (direction: Packet["direction"], from: Net.Socket, to: Net.Socket): Lane.Lane => {
    const regulate = () => {
      if (ended) return
      if (self.held() > maxHeld || to.writableNeedDrain) from.pause()
      else if (from.isPaused()) from.resume()
    }
    const self = Lane.make({
      hold: (bytes) => {
        let wait = 0
        for (const passage of passages.values()) wait += passage({ direction, bytes })
        return wait
      },
      now: options.now,
      timer: options.timer,
      onMoved: regulate
    })
    from.on("data", (chunk: Buffer) => {
      if (ended) return
      self.push(chunk.length, () => {
        if (ended || to.destroyed || to.writableEnded) return
        to.write(chunk)
        options.onPassed({ direction, bytes: chunk.length })
      })
      regulate()
    })
    from.on("end", () => ended ? from.destroy() : self.push(0, () => to.end()))
    from.on("error", () => {}) // "close" follows, and tells
    from.on("close", (failed: boolean) => {
      if (!ended) self.push(0, () => failed ? sever(to, "reset") : to.end())
      settle()
    })
    to.on("drain", regulate)
    return self
  }

  const sever = (socket: Net.Socket, how: "cut" | "reset") => {
    if (socket.destroyed) return
    if (socket === upstream && !dialled) {
      socket.destroy()
    } else if (how === "reset") {
      socket.resetAndDestroy()
    } else {
      socket.resume() // unread bytes would turn the FIN into a RST
      socket.end()
      if (socket.readableEnded) socket.destroy()
    }
  }
  const destroy = () => {
    ended = true
    clientOpen = false
    up.clear()
    down.clear()
    client.destroy()
    upstream.destroy()
    settle()
  }
  const settle = () => {
    if (client.destroyed && (upstream.destroyed || !dialled && ended)) {
      cancelLinger?.()
      options.onClosed()
    }
  }
  const end = (how: "cut" | "reset") => {
    if (ended) return
    ended = true
    clientOpen = false
    up.clear()
    down.clear()
    sever(client, how)
    sever(upstream, how)
    if (how === "cut") cancelLinger = options.timer(lingerMillis, destroy)
    settle()
  }

  const gone = () => {
    clientOpen = false
  }
  client.once("end", gone)
  client.once("close", gone)
  const up = lane("up", client, upstream)
  const down = lane("down", upstream, client)

  const connection: ProxyConnection = {
    begin: (fault) => {
      adopt(fault)
      fault.strike?.(connection)
    },
    restore: () => {
      passages.clear()
      up.release()
      down.release()
    },
    cut: () => end("cut"),
    reset: () => end("reset"),
    destroy,
    isOpen: () => clientOpen
  }
  const adopt = (fault: Fault) => {
    if (fault.passage !== undefined) passages.set(fault.name, fault.passage(connection))
  }
  for (const fault of options.faults) adopt(fault)

  up.push(0, () => {
    // A client that gave up while its opening was held back was never heard of by the target.
    if (!clientOpen) return destroy()
    dialled = true
    upstream.setNoDelay(true)
    upstream.connect(options.target())
  })
  return connection
}
