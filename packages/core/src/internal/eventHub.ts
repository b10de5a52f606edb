/**
 * Events for whoever listens: a sliding buffer, so that a slow listener loses the oldest and slows nobody; a stream
 * that ends with the owner; and nothing at all while nobody listens, because `publish` is then undefined and the
 * event in `hub.publish?.({ … })` is never built.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type * as Take from "effect/Take"

/** Events that a listener may lag behind before it loses the oldest. */
const BUFFER = 1024

export class EventHub<Event> {
  publish: ((event: Event) => void) | undefined
  readonly stream: Stream.Stream<Event>
  private listeners = 0
  private readonly pubsub: PubSub.PubSub<Take.Take<Event>>

  private constructor(pubsub: PubSub.PubSub<Take.Take<Event>>) {
    this.pubsub = pubsub
    this.stream = Stream.unwrap(Effect.as(
      Effect.acquireRelease(Effect.sync(() => this.count(1)), () => Effect.sync(() => this.count(-1))),
      Stream.fromPubSubTake(pubsub)
    ))
  }

  static make<Event>(): Effect.Effect<EventHub<Event>> {
    return Effect.map(PubSub.sliding<Take.Take<Event>>(BUFFER), (pubsub) => new EventHub(pubsub))
  }

  /** Ends the stream. */
  get end(): Effect.Effect<void> {
    return Effect.asVoid(PubSub.end(this.pubsub, Exit.void))
  }

  private count(change: 1 | -1): void {
    this.listeners += change
    // Not `publishUnsafe`: on a full buffer that drops the event it is given, not the oldest.
    this.publish = this.listeners === 0
      ? undefined
      : (event) => void Effect.runFork(PubSub.publish(this.pubsub, [event]))
  }
}
