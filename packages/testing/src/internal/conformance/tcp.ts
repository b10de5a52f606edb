/**
 * The same server on a port of the loopback. Both ends are in this process, so the kit knows when bytes are on their
 * way and can hold the time for them.
 *
 * @internal
 */
import * as Net from "node:net"
import type { Transport } from "./backend.ts"
import { type Link, Lost } from "./link.ts"
import type { Session } from "./session.ts"
import type { VirtualTime } from "./virtualTime.ts"

const HOST = "127.0.0.1"

class TcpLink implements Link {
  isOpen = true
  private readonly waiting: Array<{ resolve: (text: string) => void; reject: (error: Error) => void }> = []
  private travelling = 0
  private server: Net.Socket | undefined
  private ended: () => void = () => {}
  private lost: () => void = () => {}
  private readonly bothClosed: Promise<unknown>
  private openEnds = 2
  private readonly client: Net.Socket
  readonly session: Session
  private readonly time: VirtualTime

  constructor(client: Net.Socket, session: Session, time: VirtualTime) {
    this.client = client
    this.session = session
    this.time = time
    this.bothClosed = new Promise<void>((resolve) => (this.ended = resolve))
    client.on("error", () => {})
    client.on("data", (data) => this.heard(data))
    client.on("close", () => {
      if (this.isOpen) this.lost()
      this.isOpen = false
      for (const { reject } of this.waiting.splice(0)) reject(new Lost("the connection was lost"))
      this.closedEnd()
    })
  }

  /** The server's end of it is there. */
  accepted(server: Net.Socket): void {
    this.server = server
    server.on("error", () => {})
    server.on("data", (data) => {
      for (const command of lines(data)) this.answer(command)
    })
    server.on("close", () => this.closedEnd())
    this.travel(-1)
  }

  send(command: string): Promise<string> {
    if (!this.isOpen) return Promise.reject(new Lost("the connection is closed"))
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject })
      this.travel(1)
      this.client.write(`${command}\n`)
    })
  }

  async close(): Promise<void> {
    if (this.openEnds === 2) this.travel(1)
    this.isOpen = false
    this.client.end()
    await this.bothClosed
  }

  killed(how: "reset" | "close"): void {
    this.travel(1)
    if (how === "reset") this.server?.resetAndDestroy()
    else this.server?.end()
  }

  onLost(listener: () => void): void {
    this.lost = listener
  }

  onEnd(listener: () => void): void {
    void this.bothClosed.then(listener)
  }

  /** Something leaves one end (1), or has reached the other (-1). */
  travel(by: 1 | -1): void {
    this.travelling += by
    this.time.inFlight += by
    this.time.sign()
  }

  private answer(command: string): void {
    this.travel(-1)
    const answer = this.session.answer(command)
    if (answer === undefined) return
    const reply = () => {
      if (this.server?.writable !== true) return
      this.travel(1)
      this.server.write(`${answer.text}\n`)
    }
    if (answer.after === 0) reply()
    else this.time.after(answer.after, reply)
  }

  private heard(data: Buffer): void {
    for (const text of lines(data)) {
      this.travel(-1)
      this.waiting.shift()?.resolve(text)
    }
  }

  private closedEnd(): void {
    this.time.sign()
    if (--this.openEnds > 0) return
    this.time.inFlight -= this.travelling
    this.travelling = 0
    this.ended()
  }
}

const lines = (data: Buffer): Array<string> => data.toString().split("\n").filter((line) => line !== "")

/** A server on a port that was free. */
export const listen = async (time: VirtualTime): Promise<Transport> => {
  const links = new Map<number, TcpLink>()
  const early = new Map<number, Net.Socket>()
  const meet = (port: number) => {
    const [link, socket] = [links.get(port), early.get(port)]
    if (link === undefined || socket === undefined) return
    links.delete(port)
    early.delete(port)
    link.accepted(socket)
  }
  const sockets = new Set<Net.Socket>()
  const keep = (socket: Net.Socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  }
  const server = Net.createServer({ noDelay: true, allowHalfOpen: false }, (socket) => {
    keep(socket)
    early.set(socket.remotePort!, socket)
    meet(socket.remotePort!)
  })
  const open = (port: number) =>
    new Promise<number>((resolve, reject) => {
      server.once("error", reject)
      server.listen(port, HOST, () => {
        server.removeListener("error", reject)
        const address = server.address()
        resolve(typeof address === "object" && address !== null ? address.port : port)
      })
    })
  const port = await open(0)
  const dial = (session: Session) =>
    new Promise<Link>((resolve, reject) => {
      const socket = Net.connect({ port, host: HOST, noDelay: true })
      keep(socket)
      time.inFlight++
      socket.once("error", (error) => {
        time.inFlight--
        reject(error)
      })
      socket.once("connect", () => {
        socket.removeAllListeners("error")
        const link = new TcpLink(socket, session, time)
        time.inFlight--
        link.travel(1)
        links.set(socket.localPort!, link)
        meet(socket.localPort!)
        resolve(link)
      })
    })
  return {
    dial,
    setListening: async (listens) => {
      if (listens && !server.listening) await open(port)
      if (!listens && server.listening) server.close()
    },
    end: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}
