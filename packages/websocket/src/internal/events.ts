/**
 * What happens to connections, for whoever listens to the backend; nothing is built while nobody does.
 *
 * @internal
 */
import type { CloseReason, PoolEvent } from "@breakwater/core/PoolEvent"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type * as Take from "effect/Take"
import type { CloseWhy } from "../WebSocketError.ts"

/** Events that a listener may lag behind before it loses the oldest. */
const BUFFER = 1024

export class Events {
  readonly stream: Stream.Stream<PoolEvent>
  private listeners = 0
  private readonly pubsub: PubSub.PubSub<Take.Take<PoolEvent>>

  private constructor(pubsub: PubSub.PubSub<Take.Take<PoolEvent>>) {
    this.pubsub = pubsub
    this.stream = Stream.unwrap(Effect.as(
      Effect.acquireRelease(Effect.sync(() => this.listeners++), () => Effect.sync(() => this.listeners--)),
      Stream.fromPubSubTake(pubsub)
    ))
  }

  static make: Effect.Effect<Events> = Effect.map(
    PubSub.sliding<Take.Take<PoolEvent>>(BUFFER),
    (pubsub) => new Events(pubsub)
  )

  publish(event: () => PoolEvent): void {
    if (this.listeners > 0) Effect.runFork(PubSub.publish(this.pubsub, [event()]))
  }

  /** Ends the stream. */
  get end(): Effect.Effect<void> {
    return Effect.asVoid(PubSub.end(this.pubsub, Exit.void))
  }
}

/** The nearest word that pools have: none of them is the peer's doing, or the end of an idle connection. */
export const closeReasonOf = (why: CloseWhy): CloseReason => CLOSE_REASONS[why]

const CLOSE_REASONS: Record<CloseWhy, CloseReason> = {
  Peer: "Broken",
  Local: "Invalidated",
  Dead: "CheckFailed",
  Idle: "Invalidated",
  SlowReader: "Broken",
  Drained: "Drained"
}
