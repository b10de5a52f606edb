/**
 * The state of a reconnecting socket, for those who ask and those who listen.
 *
 * @internal
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type * as Take from "effect/Take"
import type { WebSocketError } from "../WebSocketError.ts"

/**
 * Dialling, or letting `onOpen` run. `attempt` counts from 1, and anew after a connection that lasted.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connecting {
  readonly _tag: "Connecting"
  readonly attempt: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Open {
  readonly _tag: "Open"
  /** Counts the connections from 1. */
  readonly connection: number
  /** Epoch milliseconds. */
  readonly since: number
}

/**
 * Not connected; the next attempt comes after `retryIn`. `cause` is how the last one ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface Waiting {
  readonly _tag: "Waiting"
  readonly attempt: number
  readonly retryIn: Duration.Duration
  readonly cause: WebSocketError
}

/**
 * The end; with the error when it gave up, without when it was closed here.
 *
 * @since 0.1.0
 * @category models
 */
export interface Closed {
  readonly _tag: "Closed"
  readonly error: WebSocketError | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export type State = Connecting | Open | Waiting | Closed

/** States that a listener may lag behind before it loses the oldest. */
const BUFFER = 128

export class States {
  current: State = { _tag: "Connecting", attempt: 1 }
  /** The state of now, then every other one. */
  readonly stream: Stream.Stream<State>
  /** Open while the state is `Open` or `Closed`. */
  readonly decided = Latch.makeUnsafe(false)
  private readonly pubsub: PubSub.PubSub<Take.Take<State>>

  private constructor(pubsub: PubSub.PubSub<Take.Take<State>>) {
    this.pubsub = pubsub
    this.stream = Stream.suspend(() =>
      this.current._tag === "Closed" ? Stream.succeed<State>(this.current) : Stream.fromPubSubTake(pubsub)
    )
  }

  static make: Effect.Effect<States> = Effect.map(
    PubSub.sliding<Take.Take<State>>({ capacity: BUFFER, replay: 1 }),
    (pubsub) => new States(pubsub)
  )

  set(state: State): void {
    if (this.current._tag === "Closed") return
    this.current = state
    if (state._tag === "Open" || state._tag === "Closed") this.decided.openUnsafe()
    else this.decided.closeUnsafe()
    const published = PubSub.publish(this.pubsub, [state])
    Effect.runSync(
      state._tag === "Closed" ? Effect.andThen(published, PubSub.end(this.pubsub, Exit.void)) : published
    )
  }
}
