/**
 * The server that a pool is tried on, and the figures that are the truth about its connections.
 *
 * @internal
 */
import { type Link, MemoryLink } from "./link.ts"
import { type Role, Session } from "./session.ts"
import type { VirtualTime } from "./virtualTime.ts"

/** How open connections end: the client is told by a reset or a close, or is not told at all. */
export type Death = "reset" | "close" | "silence"

class DialFailed extends Error {
  readonly code = "ECONNREFUSED"
}

class DialGivenUp extends Error {}

/** What a pool lends here. */
export class BackendConnection {
  readonly id: number
  private readonly link: Link

  constructor(id: number, link: Link) {
    this.id = id
    this.link = link
  }

  /** False from the moment at which this end knows that the connection is gone. */
  get isAlive(): boolean {
    return this.link.isOpen
  }

  async send(command: string): Promise<string> {
    const answer = await this.link.send(command)
    if (answer.startsWith("ERROR ")) throw new Error(answer.slice("ERROR ".length))
    return answer
  }

  onLost(listener: () => void): void {
    this.link.onLost(listener)
  }

  close(): Promise<void> {
    return this.link.close()
  }
}

/** How the bytes travel. */
export interface Transport {
  readonly dial: (session: Session) => Promise<Link>
  readonly setListening: (listens: boolean) => Promise<void>
  readonly end: () => Promise<void>
}

/** After so many dials in one case nothing is accepted or refused any more: the pool dials without end. */
export const MOST_DIALS = 20_000

export class Backend {
  mode: "accepts" | "refuses" | "black hole" = "accepts"
  dialTime = 0
  closeTime = 0
  role: Role = "writer"
  dials = 0
  dialling = 0
  peakDialling = 0
  /** From the start of a dial to the end of the close. */
  sockets = 0
  pings = 0
  closes = 0
  readonly dialTimes: Array<number> = []
  readonly closeTimes: Array<number> = []
  /** What each side has of every open connection. */
  readonly sessions = new Map<Session, Link>()
  /** Called at every change of the figures. */
  onChange: () => void = () => {}
  private readonly time: VirtualTime
  private readonly transport: Transport

  constructor(time: VirtualTime, transport: Transport | undefined) {
    this.time = time
    this.transport = transport ?? memory(time)
  }

  get isStormed(): boolean {
    return this.dials > MOST_DIALS
  }

  get open(): number {
    return this.sessions.size
  }

  async dial(signal?: AbortSignal): Promise<BackendConnection> {
    this.dials++
    this.dialTimes.push(this.time.now())
    this.dialling++
    this.peakDialling = Math.max(this.peakDialling, this.dialling)
    this.count(1)
    const session = new Session(this.dials, this.role)
    const link = await this.connect(session, signal)
    this.dialling--
    this.sessions.set(session, link)
    link.onEnd(() => {
      this.sessions.delete(session)
      this.count(-1)
    })
    this.change()
    if (signal?.aborted === true) {
      void link.close()
      throw new DialGivenUp("the dial was given up")
    }
    return new BackendConnection(session.id, link)
  }

  async close(connection: BackendConnection): Promise<void> {
    this.closes++
    this.closeTimes.push(this.time.now())
    this.change()
    await this.time.sleep(this.closeTime)
    await connection.close()
  }

  async ping(connection: BackendConnection): Promise<void> {
    this.pings++
    await connection.send("PING")
  }

  async reset(connection: BackendConnection): Promise<void> {
    await connection.send("RESET")
  }

  /** Ends every open connection. */
  kill(death: Death): void {
    for (const [session, link] of this.sessions) {
      if (death === "silence") session.isSilent = true
      else link.killed(death)
    }
  }

  /** From now on dials are refused, or accepted again. */
  async setMode(mode: "accepts" | "refuses"): Promise<void> {
    this.mode = mode
    await this.transport.setListening(mode === "accepts")
  }

  /** All that comes from now on waits for ever, so that a pool that is left behind does nothing any more. */
  async end(): Promise<void> {
    this.mode = "black hole"
    this.onChange = () => {}
    await this.transport.end()
  }

  private async connect(session: Session, signal: AbortSignal | undefined): Promise<Link> {
    try {
      await this.untilAborted(this.time.sleep(this.dialTime), signal)
      if (this.mode === "black hole" || this.isStormed) await this.untilAborted(new Promise<never>(() => {}), signal)
      // A refusal takes the time of a round trip: who answers it with the next dial at once must not stop the clock.
      if (this.mode === "refuses") await this.time.sleep(1)
      return await this.transport.dial(session)
    } catch (error) {
      this.dialling--
      this.count(-1)
      throw error
    }
  }

  private untilAborted<A>(promise: Promise<A>, signal: AbortSignal | undefined): Promise<A> {
    if (signal === undefined) return promise
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new DialGivenUp("the dial was given up")), { once: true })
      promise.then(resolve, reject)
    })
  }

  private count(by: 1 | -1): void {
    this.sockets += by
    this.change()
  }

  private change(): void {
    this.time.sign()
    this.onChange()
  }
}

const memory = (time: VirtualTime): Transport => {
  let refuses = false
  return {
    dial: async (session) => {
      if (refuses) throw new DialFailed("connection refused")
      return new MemoryLink(session, time)
    },
    setListening: async (listens) => {
      refuses = !listens
    },
    end: async () => {}
  }
}
