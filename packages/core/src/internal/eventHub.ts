/**
 * Events for whoever listens: a sliding buffer, so that a slow listener loses the oldest and slows nobody; a stream
 * that ends with the owner; and nothing at all while nobody listens, because `publish` is then undefined and the
 * event in `hub.publish?.({ … })` is never built.
 *
 * What happens with every call goes to `publishEach`, and is built only for who listens to all: who listens to `changes`
 * may do so for ever, at no cost to the calls.
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

/** One buffer, and who reads it. */
class Channel<Event> {
  listeners = 0
  readonly stream: Stream.Stream<Event>
  /** Published in this turn. */
  private fresh: Array<Take.Take<Event>> = []
  private readonly pubsub: PubSub.PubSub<Take.Take<Event>>
  private readonly dispatcher: Scheduler.SchedulerDispatcher

  constructor(
    pubsub: PubSub.PubSub<Take.Take<Event>>,
    dispatcher: Scheduler.SchedulerDispatcher,
    onListeners: () => void
  ) {
    this.pubsub = pubsub
    this.dispatcher = dispatcher
    const count = (change: 1 | -1) =>
      Effect.sync(() => {
        this.listeners += change
        onListeners()
      })
    this.stream = Stream.unwrap(
      Effect.as(Effect.acquireRelease(count(1), () => count(-1)), Stream.fromPubSubTake(pubsub))
    )
  }

  get end(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.flush()
      return Effect.asVoid(PubSub.end(this.pubsub, Exit.void))
    })
  }

  readonly add = (event: Event): void => {
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

export class EventHub<Event> {
  /** For what does not happen with every call. Undefined while nobody listens. */
  publish: ((event: Event) => void) | undefined
  /** For what does. Undefined while nobody listens to all. */
  publishEach: ((event: Event) => void) | undefined
  private readonly all: Channel<Event>
  private readonly few: Channel<Event>

  private constructor(
    all: PubSub.PubSub<Take.Take<Event>>,
    few: PubSub.PubSub<Take.Take<Event>>,
    dispatcher: Scheduler.SchedulerDispatcher
  ) {
    const listen = () => this.listen()
    this.all = new Channel(all, dispatcher, listen)
    this.few = new Channel(few, dispatcher, listen)
  }

  static make<Event>(): Effect.Effect<EventHub<Event>> {
    const buffer = PubSub.sliding<Take.Take<Event>>(BUFFER)
    return Effect.contextWith((context: Context.Context<never>) =>
      Effect.zipWith(
        buffer,
        buffer,
        (all, few) => new EventHub(all, few, Context.get(context, Scheduler.Scheduler).makeDispatcher())
      )
    )
  }

  /** What `publish` and `publishEach` are given. */
  get stream(): Stream.Stream<Event> {
    return this.all.stream
  }

  /** What `publish` is given. */
  get changes(): Stream.Stream<Event> {
    return this.few.stream
  }

  /** Ends the streams. */
  get end(): Effect.Effect<void> {
    return Effect.andThen(this.all.end, this.few.end)
  }

  private listen(): void {
    const { all, few } = this
    this.publishEach = all.listeners === 0 ? undefined : all.add
    this.publish = few.listeners === 0 ? this.publishEach : all.listeners === 0 ? few.add : this.addToBoth
  }

  private readonly addToBoth = (event: Event): void => {
    this.all.add(event)
    this.few.add(event)
  }
}
