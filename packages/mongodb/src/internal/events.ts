/**
 * Events for whoever listens: nothing is kept while nobody does, a slow listener loses the oldest, and the stream ends
 * with its owner. Listeners hear of an event in a later turn, never on the stack of the driver.
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

export class Events<Event> {
  /** Undefined while nobody listens, so that no event is built for nobody. */
  publish: ((event: Event) => void) | undefined
  readonly stream: Stream.Stream<Event>
  private listeners = 0
  private fresh: Array<Take.Take<Event>> = []
  private readonly pubsub: PubSub.PubSub<Take.Take<Event>>

  private constructor(pubsub: PubSub.PubSub<Take.Take<Event>>) {
    this.pubsub = pubsub
    this.stream = Stream.unwrap(Effect.as(
      Effect.acquireRelease(Effect.sync(() => this.count(1)), () => Effect.sync(() => this.count(-1))),
      Stream.fromPubSubTake(pubsub)
    ))
  }

  static make<Event>(): Effect.Effect<Events<Event>> {
    return Effect.map(PubSub.sliding<Take.Take<Event>>(BUFFER), (pubsub) => new Events(pubsub))
  }

  get end(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.flush()
      return Effect.asVoid(PubSub.end(this.pubsub, Exit.void))
    })
  }

  private count(change: 1 | -1): void {
    this.listeners += change
    this.publish = this.listeners === 0 ? undefined : this.add
  }

  private readonly add = (event: Event): void => {
    if (this.fresh.push([event]) === 1) queueMicrotask(this.flush)
  }

  private readonly flush = (): void => {
    const fresh = this.fresh
    this.fresh = []
    if (fresh.length > 0) Effect.runFork(PubSub.publishAll(this.pubsub, fresh))
  }
}
