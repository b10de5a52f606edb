/**
 * The metrics of one kind of backend under the names of the guides.
 *
 * @internal
 */
import type { Backend, Detail } from "@breakwater/core/Backend"
import * as Histogram from "@breakwater/core/Histogram"
import * as Pool from "@breakwater/core/Pool"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { totalsOf } from "./stats.ts"

export const queryBuckets = [0.001, 0.01, 0.1, 0.5, 1, 2, 5]

/** The bounds of every pool's own waits. */
const waitBounds = Histogram.make().snapshot().bounds

type Gauge = readonly [id: string, read: (stats: Pool.Stats) => number]

const open = ({ checking, closing, idle, used }: Pool.Stats) => idle + used + checking + closing

const gauges: ReadonlyArray<Gauge> = [
  ["connection_pool_size", open],
  ["connection_pool_active", ({ used }) => used],
  ["connection_pool_idle", ({ idle }) => idle]
]

const prismaGauges: ReadonlyArray<Gauge> = [
  ["prisma_pool_size", ({ max }) => max],
  ["prisma_active_connections", ({ used }) => used],
  ["prisma_waiting_requests", ({ waiting }) => waiting]
]

const errors: ReadonlyArray<readonly [type: string, of: keyof Pool.Stats]> = [
  ["timed_out", "timedOut"],
  ["refused", "refused"],
  ["shed", "shed"],
  ["unavailable", "unavailable"],
  ["nested", "nested"],
  ["refused_closed", "refusedClosed"],
  ["revoked", "revoked"]
]

const unwritten = { update: () => {}, modify: () => {} }

const DATABASE = "postgres"

type Times = Detail["times"]

const timesOf = ({ detail }: Backend): Times => detail === undefined ? {} : Effect.runSync(detail).times

const sum = (...snapshots: ReadonlyArray<Histogram.Snapshot | undefined>): Histogram.Snapshot | undefined =>
  Histogram.sum(snapshots.flatMap((snapshot) => snapshot ?? []))

const typeOf = ({ poolType = "primary" }: Backend): string => poolType

export class Kind {
  private readonly kind: string
  private readonly backends = new Set<Backend>()
  /** That have a series: one that was there stays, and is 0 when its last backend has left. */
  private readonly types = new Set<string>()
  /** Of those that have left: what was counted stays counted. */
  private pastStats = Pool.emptyStats
  private pastTimes: Times = {}
  private readonly context: Context.Context<never>
  private readonly registrations: Array<Metric.Registration>

  constructor(kind: string, context: Context.Context<never>) {
    this.kind = kind
    this.context = context
    const service = { service: kind }
    this.registrations = [
      ...errors.map(([type, of]) => this.errors({ ...service, error_type: type }, of)),
      this.histogram("connection_pool_wait_seconds", service, waitBounds, ({ wait }) => wait),
      ...(kind === DATABASE
        ? [
          ...prismaGauges.map(([id, read]) => this.gauge(id, {}, read)),
          this.histogram("prisma_query_duration_seconds", {}, queryBuckets, ({ operation }) => operation)
        ]
        : [])
    ]
  }

  add(backend: Backend): void {
    this.backends.add(backend)
    const type = typeOf(backend)
    if (this.types.has(type)) return
    this.types.add(type)
    const attributes = { service: this.kind, pool_type: type }
    const stats = () => this.stats((one) => typeOf(one) === type)
    for (const [id, read] of gauges) this.registrations.push(this.gauge(id, attributes, read, stats))
  }

  keepOnly(present: ReadonlySet<Backend>): void {
    for (const backend of this.backends) {
      if (present.has(backend)) continue
      this.backends.delete(backend)
      const { operation, wait } = timesOf(backend)
      this.pastStats = totalsOf([this.pastStats, Effect.runSync(backend.stats)])
      this.pastTimes = {
        wait: sum(this.pastTimes.wait, wait),
        operation: sum(this.pastTimes.operation, operation)
      }
    }
  }

  hide(): void {
    for (const registration of this.registrations) registration.remove()
  }

  private stats(counts: (backend: Backend) => boolean = () => true): Pool.Stats {
    return totalsOf([...this.backends].filter(counts).map((backend) => Effect.runSync(backend.stats)))
  }

  private gauge(
    id: string,
    attributes: Record<string, string>,
    read: (stats: Pool.Stats) => number,
    stats = () => this.stats()
  ) {
    return Metric.registerUnsafe(Metric.gauge(id, { attributes }), this.context, {
      get: () => ({ value: read(stats()) }),
      ...unwritten
    })
  }

  private errors(attributes: Record<string, string>, of: keyof Pool.Stats) {
    const metric = Metric.counter("connection_pool_errors_total", { attributes, incremental: true })
    return Metric.registerUnsafe(metric, this.context, {
      get: () => ({ count: this.stats()[of] + this.pastStats[of], incremental: true }),
      ...unwritten
    })
  }

  private histogram(
    id: string,
    attributes: Record<string, string>,
    boundaries: ReadonlyArray<number>,
    read: (times: Times) => Histogram.Snapshot | undefined
  ) {
    return Metric.registerUnsafe(Metric.histogram(id, { attributes, boundaries }), this.context, {
      get: () => {
        const all = [this.pastTimes, ...Array.from(this.backends, timesOf)]
        return Histogram.toMetric(sum(...all.map(read)), boundaries)
      },
      ...unwritten
    })
  }
}
