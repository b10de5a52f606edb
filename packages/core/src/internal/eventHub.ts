/**
 * Events for whoever listens: a sliding buffer, so that a slow listener loses the oldest and slows nobody; a stream
 * that ends with the owner; and nothing at all while nobody listens, because `publish` is then undefined and the
 * event in `hub.publish?.({ … })` is never built.
 *
 * Listeners hear of an event in a later turn, never on the stack of who publishes it: that may be in the middle of a
 * change, and a listener may call back.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import * as Scheduler from "effect/Scheduler"
import * as Stream from "effect/Stream"
import type * as Take from "effect/Take"

/** Events that a listener may lag behind before it loses the oldest. */
const BUFFER = 1024

export class EventHub<Event> {
  publish: ((event: Event) => void) | undefined
  readonly stream: Stream.Stream<Event>
  private listeners = 0
  /** Published in this turn. */
  private fresh: Array<Take.Take<Event>> = []
  private readonly pubsub: PubSub.PubSub<Take.Take<Event>>
  private readonly dispatcher: Scheduler.SchedulerDispatcher

  private constructor(pubsub: PubSub.PubSub<Take.Take<Event>>, dispatcher: Scheduler.SchedulerDispatcher) {
    this.pubsub = pubsub
    this.dispatcher = dispatcher
    this.stream = Stream.unwrap(Effect.as(
      Effect.acquireRelease(Effect.sync(() => this.count(1)), () => Effect.sync(() => this.count(-1))),
      Stream.fromPubSubTake(pubsub)
    ))
  }

  static make<Event>(): Effect.Effect<EventHub<Event>> {
    return Effect.contextWith((context: Context.Context<never>) =>
      Effect.map(
        PubSub.sliding<Take.Take<Event>>(BUFFER),
        (pubsub) => new EventHub(pubsub, Context.get(context, Scheduler.Scheduler).makeDispatcher())
      )
    )
  }

  /** Ends the stream. */
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
    if (this.fresh.push([event]) === 1) this.dispatcher.scheduleTask(this.flush, 0)
    else if (this.fresh.length === 2 * BUFFER) this.fresh = this.fresh.slice(BUFFER) // lost to all listeners anyway
  }

  private readonly flush = (): void => {
    const fresh = this.fresh
    this.fresh = []
    // Not `publishAllUnsafe`: on a full buffer that drops the events it is given, not the oldest.
    if (fresh.length > 0) Effect.runFork(PubSub.publishAll(this.pubsub, fresh))
  }
}
