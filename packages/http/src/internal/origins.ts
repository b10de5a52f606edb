/**
 * What each origin has of its own: a pool of connections, and a policy whose breaker knows this origin only. And what
 * all share: permits for the total.
 *
 * A request waits for a connection of its origin first and for a permit second, so that a slow origin keeps others from
 * their permits by no more than its own connections. Permits go to the origins in turn.
 *
 * @internal
 */
import { type Breaker, makeOperations } from "@breakwater/core/Backend"
import * as CircuitBreaker from "@breakwater/core/CircuitBreaker"
import * as Histogram from "@breakwater/core/Histogram"
import * as Policy from "@breakwater/core/Policy"
import type { PolicyEvent } from "@breakwater/core/PolicyEvent"
import * as Pool from "@breakwater/core/Pool"
import { PoolError } from "@breakwater/core/PoolError"
import type { PoolEvent } from "@breakwater/core/PoolEvent"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as PubSub from "effect/PubSub"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { HttpError } from "../HttpError.ts"
import { Connection, Sockets } from "./connection.ts"
import { DnsCache } from "./dns.ts"
import * as Lookout from "./lookout.ts"
import { hostPolicyOf, ofHost, type OriginPolicy, policyOf, type Settings } from "./settings.ts"
import { together, withoutState } from "./together.ts"
import { Upstream } from "./upstream.ts"

export interface Origin {
  readonly origin: string
  readonly pool: Pool.Pool<Connection>
  readonly policy: OriginPolicy
  readonly scope: Scope.Closeable
}

export class Origins {
  readonly sockets: Sockets
  readonly permits: Pool.Pool<object>
  /** How long requests waited for a connection that they may use, and how long they had it. */
  readonly times = { wait: Histogram.make(), use: Histogram.make() }
  /** The program's requests, until the headers of the answer are there. */
  readonly sent = makeOperations()
  readonly settings: Settings
  readonly dns: DnsCache
  /** Where requests go that may go to any of several servers. */
  readonly upstream: Upstream | undefined
  /** What the policy of an origin is like, with what was changed since. No request runs through it. */
  readonly pattern: OriginPolicy
  /** Those made from now on, for listeners. */
  readonly made: PubSub.PubSub<Origin>
  /** In the order of their last use. */
  private readonly known = new Map<string, Origin>()
  /** What the policies of forgotten origins had counted. */
  private forgotten: Policy.Snapshot
  /** What origins that are made later have to be told. */
  private changed: Policy.Update = {}
  private mode: CircuitBreaker.Mode | undefined
  private draining = false
  private paused = false
  private readonly context: Context.Context<never>

  private constructor(
    settings: Settings,
    permits: Pool.Pool<object>,
    made: PubSub.PubSub<Origin>,
    context: Context.Context<never>
  ) {
    this.settings = settings
    this.permits = permits
    this.made = made
    this.context = context
    const clock = Context.get(context, Clock.Clock)
    this.sockets = new Sockets(settings.max, clock)
    this.dns = new DnsCache(settings, clock, (effect, done) => {
      Effect.runForkWith(context)(effect).addObserver(done)
    })
    const { base, hosts } = settings
    this.upstream = base === undefined || hosts.length === 0
      ? undefined
      : new Upstream(settings, base, (origin) => this.loadOf(origin))
    this.pattern = policyOf(settings, settings.name, Effect.void)
    this.forgotten = withoutState(Policy.snapshot(this.pattern))
  }

  static readonly make = Effect.fnUntraced(
    function*(settings: Settings): Effect.fn.Return<Origins, PoolError, Scope.Scope> {
      const context = yield* Effect.context<never>()
      const permits = yield* Pool.make<object, never, never>({
        name: settings.name,
        acquire: Effect.sync(() => ({})),
        size: { max: settings.max },
        start: "lazy",
        wait: settings.wait,
        // A permit is only an object: nothing is dialled, and nothing grows old.
        dial: { concurrency: settings.max },
        lifetime: { max: "Infinity", idle: "Infinity" }
      }).pipe(
        // In metrics there are connections instead.
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
      const origins = new Origins(settings, permits, yield* PubSub.unbounded<Origin>(), context)
      yield* Effect.addFinalizer(() => Effect.andThen(origins.close, PubSub.shutdown(origins.made)))
      return origins
    }
  )

  /** In one operation, between whose parts no fiber yields: two requests never make an origin twice. */
  readonly get = (origin: string): Effect.Effect<Origin, HttpError | PoolError> =>
    Effect.suspend((): Effect.Effect<Origin, HttpError | PoolError> => {
      if (this.draining) {
        return Effect.fail(new PoolError({ reason: { _tag: "Closed", pool: this.settings.name } }))
      }
      const known = this.known.get(origin)
      if (known !== undefined) {
        this.known.delete(origin)
        this.known.set(origin, known)
        return Effect.succeed(known)
      }
      if (this.known.size >= this.settings.origins && !this.forgetOne()) {
        const { name: client, origins: max } = this.settings
        return Effect.fail(new HttpError({ _tag: "TooManyOrigins", client, origin, max }))
      }
      return Effect.succeed(this.add(origin))
    })

  list(): ReadonlyArray<Origin> {
    return [...this.known.values()]
  }

  poolStats(origin: Origin): Pool.Stats {
    return Effect.runSync(Pool.stats(origin.pool))
  }

  /** What all policies counted, and how things stand. */
  snapshot(): Policy.Snapshot {
    const outer = this.upstream === undefined
      ? this.forgotten
      : together(Policy.snapshot(this.upstream.policy), this.forgotten)
    return this.list().reduce((sum, origin) => together(sum, this.counted(origin)), outer)
  }

  /** A call to one of several equals is counted around the choice among them. */
  private counted({ origin, policy }: Origin): Policy.Snapshot {
    const snapshot = Policy.snapshot(policy)
    return this.upstream?.has(origin) === true ? { ...snapshot, calls: 0, attempts: 0 } : snapshot
  }

  /** Of all policies, in one step. */
  update(changes: Policy.Update): void {
    const upstream = this.upstream === undefined ? [] : [this.upstream.policy]
    Policy.updateAll([this.pattern, ...upstream, ...this.list().map(({ policy }) => policy)], changes)
    this.changed = Policy.mergeUpdates(this.changed, changes)
  }

  readonly breaker: Breaker = {
    setMode: (mode) =>
      Effect.suspend(() => {
        this.mode = mode
        return this.onEach(({ policy }) => CircuitBreaker.setMode(policy, mode))
      }),
    reset: Effect.suspend(() => this.onEach(({ policy }) => CircuitBreaker.reset(policy)))
  }

  private onEach(act: (origin: Origin) => Effect.Effect<void>): Effect.Effect<void> {
    return Effect.forEach(this.list(), act, { discard: true })
  }

  private loadOf(origin: string): number {
    const known = this.known.get(origin)
    if (known === undefined) return 0
    const { used, waiting } = this.poolStats(known)
    return used + waiting
  }

  readonly events = this.withUpstream<PoolEvent | PolicyEvent>(
    this.ofEach(({ policy, pool }) => Stream.merge(Pool.events(pool), Policy.events(policy), { haltStrategy: "left" })),
    Policy.events
  )

  readonly changes = this.withUpstream<PoolEvent | PolicyEvent>(
    this.ofEach(({ policy, pool }) =>
      Stream.merge(Pool.changes(pool), Policy.changes(policy), { haltStrategy: "left" })
    ),
    Policy.changes
  )

  /** Of all origins that are there, and of those that come. */
  private ofEach<A>(streamOf: (origin: Origin) => Stream.Stream<A>): Stream.Stream<A> {
    return Stream.unwrap(Effect.suspend(() =>
      // In one step: an origin that is made in between would be in neither.
      Effect.map(PubSub.subscribe(this.made), (made) =>
        Stream.concat(Stream.fromIterable(this.list()), Stream.fromSubscription(made)).pipe(
          Stream.flatMap(streamOf, { concurrency: "unbounded" })
        ))
    ))
  }

  /** And of what chooses among equals. */
  private withUpstream<A>(
    origins: Stream.Stream<A>,
    ofPolicy: (policy: Upstream["policy"]) => Stream.Stream<A>
  ): Stream.Stream<A> {
    return Stream.unwrap(Effect.sync(() =>
      this.upstream === undefined
        ? origins
        : Stream.merge(origins, ofPolicy(this.upstream.policy), { haltStrategy: "left" })
    ))
  }

  /** Nothing new begins; what runs has until the deadline. */
  readonly drain = (millis: number): Effect.Effect<ReadonlyArray<Pool.DrainReport>> =>
    Effect.suspend(() => {
      this.draining = true
      return Effect.forEach(this.list(), ({ pool }) => Pool.drain(pool, millis), { concurrency: "unbounded" })
    })

  readonly clear = (options: { readonly interrupt?: boolean | undefined } | undefined): Effect.Effect<void> =>
    Effect.suspend(() => this.onEach(({ pool }) => Pool.clear(pool, options)))

  readonly pause: Effect.Effect<void> = Effect.suspend(() => {
    this.paused = true
    return this.onEach(({ pool }) => Pool.pause(pool))
  })

  readonly resume: Effect.Effect<void> = Effect.suspend(() => {
    this.paused = false
    return this.onEach(({ pool }) => Pool.resume(pool))
  })

  private readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.draining = true
    return Effect.forEach(this.list(), ({ scope }) => Scope.close(scope, Exit.void), {
      concurrency: "unbounded",
      discard: true
    })
  })

  private add(origin: string): Origin {
    const scope = Scope.makeUnsafe()
    const { perOrigin, wait } = this.settings
    const name = `${this.settings.name} ${origin}`
    let lookout: Lookout.Lookout | undefined
    const means = {
      settings: this.settings,
      sockets: this.sockets,
      dns: this.dns,
      onUnreachable: () => void (lookout && Effect.runSyncWith(this.context)(Effect.forkIn(lookout.search, scope))),
      onReached: () => lookout?.reached()
    }
    const pool = Effect.runSyncWith(this.context)(Scope.provide(
      Pool.make({
        name,
        acquire: Effect.acquireRelease(
          Effect.sync(() => new Connection(origin, means)),
          (connection) => Effect.promise(() => connection.close())
        ),
        size: { max: perOrigin },
        start: "lazy",
        wait,
        // A connection opens its socket with its first request: nothing is dialled here.
        dial: { concurrency: perOrigin },
        // How long its socket stays open unused is said by `keepAlive`.
        lifetime: { idle: "Infinity" },
        check: { isAlive: (connection) => connection.isAlive }
      }),
      scope
    ))
    if (this.paused) Effect.runSync(Pool.pause(pool))
    const policy = this.policyFor(origin, name, Pool.clear(pool))
    lookout = Lookout.make(origin, policy, means)
    const made = { origin, pool, policy, scope }
    this.known.set(origin, made)
    PubSub.publishUnsafe(this.made, made)
    return made
  }

  private policyFor(origin: string, name: string, clear: Effect.Effect<void>): OriginPolicy {
    const isHost = this.upstream?.has(origin) === true
    const policy = (isHost ? hostPolicyOf : policyOf)(this.settings, name, clear)
    Policy.update(policy, isHost ? ofHost(this.changed) : this.changed)
    if (this.mode !== undefined) Effect.runSyncWith(this.context)(CircuitBreaker.setMode(policy, this.mode))
    return policy
  }

  /** The one that was idle longest. */
  private forgetOne(): boolean {
    for (const origin of this.known.values()) {
      const { opening, used, waiting } = this.poolStats(origin)
      if (used + waiting + opening > 0) continue
      this.known.delete(origin.origin)
      this.forgotten = withoutState(together(this.forgotten, this.counted(origin)))
      Effect.runForkWith(this.context)(Scope.close(origin.scope, Exit.void))
      return true
    }
    return false
  }
}
