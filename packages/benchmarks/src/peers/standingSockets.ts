/** WebSockets that are open and have no network: for what a registry of them costs by itself. */
import * as NodeWS from "@effect/platform-node/NodeWS"

// A server's side is made with options, which the type of its constructor leaves out.
const ServerSide = NodeWS.WebSocket as unknown as new(
  address: null,
  protocols: undefined,
  options: NodeWS.ServerOptions
) => NodeWS.WebSocket

/** Open, without a network: what adding and removing cost beside accepting and closing a socket. */
class StandingSocket extends ServerSide {
  override readyState: NodeWS.WebSocket["readyState"] = this.OPEN

  constructor() {
    super(null, undefined, {})
  }

  override ping(): void {
    this.emit("pong", Buffer.alloc(0))
  }

  override close(): void {
    this.terminate()
  }

  override terminate(): void {
    this.readyState = this.CLOSED
    this.emit("close", 1000, Buffer.alloc(0))
  }
}

export type Batch = ReadonlyArray<readonly [id: string, socket: NodeWS.WebSocket]>

/** The sockets of one run, so many for each operation; their ids never come twice. */
export class Batches {
  all: ReadonlyArray<Batch> = []
  private taken = 0
  private ids = 0
  private readonly size: number

  constructor(size: number) {
    this.size = size
  }

  /** Closes those of the run before, which leave what they were registered in. */
  fill(times: number): void {
    for (const batch of this.all) for (const [, socket] of batch) socket.terminate()
    this.taken = 0
    this.all = Array.from(
      { length: times },
      () => Array.from({ length: this.size }, () => [`${this.ids++}`, new StandingSocket()] as const)
    )
  }

  next(): Batch {
    return this.all[this.taken++] ?? []
  }
}
