/**
 * What the dashboard lives on: the statistics once a second, and what happened in between. Readers are few, a slow one
 * loses the oldest happenings, and one that takes nothing any more is let go.
 *
 * @internal
 */
import * as Monotonic from "@breakwater/core/Monotonic"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import * as Exit from "effect/Exit"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as OpsStats from "../OpsStats.ts"
import * as Answer from "./answer.ts"
import { type Happening, happeningOf } from "./happening.ts"
import { listen } from "./listen.ts"
import { collect, type Sources } from "./stats.ts"

const EVERY = "1 second"

/** What a reader may be behind. */
const KEPT = 256

/** How long a frame may lie there before its reader counts as gone, in milliseconds. */
const PATIENCE = 15_000

/** They come with every borrow, and say nothing that the statistics do not. */
const ORDINARY = new Set(["Acquired", "Returned", "Waited"])

class Happenings {
  private events: Array<Happening> = []
  private dropped = 0

  add(happening: Happening): void {
    if (this.events.push(happening) <= KEPT) return
    this.events.shift()
    this.dropped++
  }

  take(): typeof OpsStats.Happenings.Type {
    const taken = { dropped: this.dropped, events: this.events }
    this.events = []
    this.dropped = 0
    return taken
  }
}

const encodeStats = Schema.encodeSync(OpsStats.Stats)
const utf8 = new TextEncoder()

const frame = (event: string, data: unknown): string =>
  Sse.encoder.write({ _tag: "Event", event, id: undefined, data: JSON.stringify(data) })

/** The places for readers. */
export class Places {
  private taken = 0
  private readonly max: number

  constructor(max: number) {
    this.max = max
  }

  get isFull(): boolean {
    return this.taken >= this.max
  }

  /** False where none is left. */
  take(): boolean {
    if (this.isFull) return false
    this.taken++
    return true
  }

  leave(): void {
    this.taken--
  }
}

/** Whether a reader takes what there is for him. Times are monotonic milliseconds. */
class Attention {
  gone = false
  private askedAt = 0
  private readonly clock: Clock.Clock

  constructor(clock: Clock.Clock) {
    this.clock = clock
    this.askedAt = this.now()
  }

  readonly asked = Effect.sync(() => {
    this.askedAt = this.now()
  })

  /** Ends when he has taken nothing for too long. */
  readonly lost = Effect.sleep(EVERY).pipe(
    Effect.repeat({ until: () => this.now() - this.askedAt > PATIENCE }),
    Effect.andThen(Effect.sync(() => {
      this.gone = true
    }))
  )

  private now(): number {
    return Monotonic.millis(this.clock)
  }
}

/** The first frame, and those that follow once a second. */
const framesOf = (sources: Sources, happenings: Happenings, attention: Attention): Stream.Stream<Uint8Array> => {
  const stats = Effect.map(collect(sources), (now) => frame("stats", encodeStats(now)))
  const next = attention.asked.pipe(
    Effect.andThen(Effect.sleep(EVERY)),
    Effect.andThen(attention.asked),
    Effect.andThen(stats),
    Effect.map((now) => {
      const happened = happenings.take()
      // In front: how things stand is judged by what happened until then, too.
      return happened.events.length === 0 ? now : frame("events", happened) + now
    })
  )
  return Stream.concat(Stream.fromEffect(stats), Stream.fromEffectRepeat(next)).pipe(
    Stream.takeWhile(() => !attention.gone),
    Stream.map((text) => utf8.encode(text))
  )
}

/** What is given back when its scope closes. */
const placeOf = (places: Places): Effect.Effect<Scope.Closeable> =>
  Effect.suspend(() => {
    const scope = Scope.makeUnsafe()
    return Effect.as(Scope.addFinalizer(scope, Effect.sync(() => places.leave())), scope)
  })

/** One reader, in a scope of its own that ends with him, or when he has taken nothing for too long. */
const read = (sources: Sources, places: Places, letGo: () => void) =>
  Effect.gen(function*() {
    const scope = yield* Effect.acquireRelease(
      Effect.suspend(() => places.take() ? placeOf(places) : Effect.undefined),
      (taken) => taken === undefined ? Effect.void : Scope.close(taken, Exit.void)
    )
    if (scope === undefined) return Stream.empty
    const clock = yield* Clock.Clock
    const happenings = new Happenings()
    const heard = listen((backend) => backend.events, (entry, event) =>
      Effect.sync(() => {
        if (ORDINARY.has(event._tag)) return
        happenings.add(happeningOf(clock.currentTimeMillisUnsafe(), entry, event))
      }))
    const attention = new Attention(clock)
    const watched = Effect.andThen(
      attention.lost,
      Effect.sync(() => {
        Effect.runFork(Scope.close(scope, Exit.void))
        letGo()
      })
    )
    yield* Scope.provide(Effect.andThen(heard, Effect.forkScoped(watched)), scope)
    return framesOf(sources, happenings, attention)
  })

/** `context`: what the statistics are read in. */
export const answer = (sources: Sources, places: Places, context: Context.Context<never>) =>
  Effect.withFiber((fiber) => {
    if (places.isFull) return Effect.succeed(Answer.empty(503, { "retry-after": "5" }))
    // It is this fiber that writes, where a server of Effect does.
    const reader = read(sources, places, () => fiber.interruptUnsafe())
    const body = Stream.unwrap(
      Effect.flatMap(Effect.scope, (scope) => Effect.provideContext(reader, Context.add(context, Scope.Scope, scope)))
    )
    return Effect.succeed(HttpServerResponse.stream(Stream.provideContext(body, context), {
      contentType: "text/event-stream",
      headers: { "cache-control": "no-store", "x-accel-buffering": "no", "x-content-type-options": "nosniff" }
    }))
  })
