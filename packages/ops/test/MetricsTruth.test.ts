import * as Activity from "@breakwater/core/Activity"
import * as Backends from "@breakwater/core/Backends"
import * as Pool from "@breakwater/core/Pool"
import type { PoolError } from "@breakwater/core/PoolError"
import { GuideMetrics } from "@breakwater/ops"
import { Seeded } from "@breakwater/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Metric } from "effect"
import { TestClock } from "effect/testing"
import * as Prometheus from "../src/internal/prometheus.ts"
import { backend } from "./support.ts"

const STEPS = 250
const DIAL = 7

/** What the test itself saw: nothing of it comes from the pool. */
class Truth {
  dialling = 0
  dialled = 0
  closed = 0
  holding = 0
  waiting = 0
  held: Array<number> = []
  idle: Array<number> = []
  waited: Array<number> = []
  readonly ended: Record<string, number> = { acquired: 0, timed_out: 0, refused: 0, cancelled: 0 }
}

/** The numbers of the text format, by name and labels; of histograms the sum and the count. */
const parse = (text: string): Map<string, number> =>
  new Map(
    text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
      const [, name = "", value = ""] = /^(.*) (\S+)$/.exec(line) ?? []
      return [name, Number(value)]
    })
  )

const isolated = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Backends.isolated(Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map())))

const outcomeOf = (exit: Exit.Exit<void, PoolError>): string => {
  const [reason] = Exit.isFailure(exit) ? exit.cause.reasons : []
  const tag = reason?._tag === "Fail" ? reason.error.reason._tag : String(reason?._tag)
  const outcome = new Map([["AcquireTimeout", "timed_out"], ["QueueFull", "refused"], ["Interrupt", "cancelled"]]).get(
    tag
  )
  return outcome ?? assert.fail(`nobody expected ${tag}`)
}

const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((all, one) => all + one, 0)

const expected = (truth: Truth) => ({
  "db_client_connection_count{db_client_connection_pool_name=\"orders\",db_client_connection_state=\"used\"}":
    truth.holding,
  "db_client_connection_pending_requests{db_client_connection_pool_name=\"orders\"}": truth.waiting,
  "breakwater_pool_opened_total{db_client_connection_pool_name=\"orders\"}": truth.dialled,
  "breakwater_pool_closed_total{db_client_connection_pool_name=\"orders\"}": truth.closed,
  "db_client_connection_use_time_seconds_count{db_client_connection_pool_name=\"orders\"}": truth.held.length,
  "db_client_connection_use_time_seconds_sum{db_client_connection_pool_name=\"orders\"}": sum(truth.held) / 1000,
  "breakwater_pool_held_idle_time_seconds_count{db_client_connection_pool_name=\"orders\"}": truth.idle.length,
  "breakwater_pool_held_idle_time_seconds_sum{db_client_connection_pool_name=\"orders\"}": sum(truth.idle) / 1000,
  "db_client_connection_wait_time_seconds_count{db_client_connection_pool_name=\"orders\"}": truth.waited.length,
  "db_client_connection_wait_time_seconds_sum{db_client_connection_pool_name=\"orders\"}": sum(truth.waited) / 1000,
  "db_client_connection_create_time_seconds_count{db_client_connection_pool_name=\"orders\"}": truth.dialled,
  "db_client_connection_create_time_seconds_sum{db_client_connection_pool_name=\"orders\"}": truth.dialled * DIAL /
    1000,
  ...Object.fromEntries(
    Object.entries(truth.ended).map(([outcome, count]) => [
      `breakwater_pool_borrows_total{db_client_connection_pool_name="orders",breakwater_pool_outcome="${outcome}"}`,
      count
    ])
  ),
  "connection_pool_size{service=\"postgres\",pool_type=\"primary\"}": truth.dialled - truth.closed,
  "connection_pool_active{service=\"postgres\",pool_type=\"primary\"}": truth.holding,
  "connection_pool_idle{service=\"postgres\",pool_type=\"primary\"}": truth.dialled - truth.closed - truth.holding,
  "connection_pool_wait_seconds_count{service=\"postgres\"}": truth.waited.length,
  "connection_pool_errors_total{service=\"postgres\",error_type=\"timed_out\"}": truth.ended["timed_out"] ?? 0,
  "connection_pool_errors_total{service=\"postgres\",error_type=\"refused\"}": truth.ended["refused"] ?? 0,
  prisma_pool_size: 4,
  prisma_active_connections: truth.holding,
  prisma_waiting_requests: truth.waiting
})

const differences = (truth: Truth) =>
  Effect.map(Prometheus.format, (text) => {
    const shown = parse(text)
    return Object.entries(expected(truth)).flatMap(([name, value]) => {
      const found = shown.get(name)
      return found !== undefined && Math.abs(found - value) < 1e-6 ? [] : [`${name}: ${found}, and it was ${value}`]
    })
  })

describe("metrics", () => {
  it.effect(
    `are the truth after each of ${STEPS} random steps from seed ${Seeded.seed}`,
    () =>
      isolated(Effect.scoped(Effect.gen(function*() {
        const draw = Seeded.numbers(Seeded.seed)
        const truth = new Truth()
        const now = Effect.clockWith((clock) => Effect.sync(() => Number(clock.monotonicTimeNanosUnsafe()) / 1e6))
        const pool = yield* Pool.make({
          name: "orders",
          size: { max: 4 },
          wait: { timeout: "50 millis", maxWaiting: 6 },
          lifetime: { idle: "90 millis", max: "Infinity", jitter: 0 },
          acquire: Effect.acquireRelease(
            Effect.sync(() => truth.dialling++).pipe(
              Effect.andThen(Effect.sleep(DIAL)),
              Effect.andThen(Effect.sync(() => {
                truth.dialled++
                return Activity.make()
              })),
              Effect.ensuring(Effect.sync(() => truth.dialling--))
            ),
            () => Effect.sync(() => void truth.closed++)
          ),
          activity: (activity) => activity
        })
        yield* backend("ours", { kind: "postgres", stats: Pool.stats(pool), detail: Pool.detail(pool) })
        yield* Layer.build(GuideMetrics.layer)

        const borrow = (hold: number, think: number) =>
          Effect.gen(function*() {
            const since = yield* now
            let served = false
            truth.waiting++
            const work = Effect.fnUntraced(function*(activity: Activity.Activity) {
              served = true
              const from = yield* now
              truth.waiting--
              truth.holding++
              truth.waited.push(from - since)
              truth.ended["acquired"]!++
              let began = Infinity
              const ask = Effect.flatMap(now, (at) => {
                began = at
                return Activity.during(Effect.sleep(hold), activity)
              })
              yield* Effect.ensuring(
                Effect.andThen(Effect.sleep(think), ask),
                Effect.map(now, (until) => {
                  truth.holding--
                  truth.held.push(until - from)
                  truth.idle.push(Math.min(began, until) - from)
                })
              )
            })
            yield* Effect.onExit(Pool.use(pool, work), (exit) =>
              Effect.sync(() => {
                if (served) return
                truth.waiting--
                truth.ended[outcomeOf(exit)]!++
              }))
          }).pipe(Effect.ignore)

        const running: Array<Fiber.Fiber<void>> = []
        let step = 0
        let wrong: ReadonlyArray<string> = []
        for (; step < STEPS; step++) {
          // So that everything that can happen to a borrow happens to one: more than there is room for, and one that is given up.
          const kind = [0.01, 0.6][step] ?? draw()
          if (kind < 0.55) {
            for (let left = kind < 0.05 ? 12 : 1; left > 0; left--) {
              running.push(
                yield* Effect.forkChild(borrow(1 + Math.floor(draw() * 80), Math.floor(draw() * 40)), {
                  startImmediately: true
                })
              )
            }
          } else if (kind < 0.65 && running.length > 0) {
            const alive = running.filter((fiber) => fiber.pollUnsafe() === undefined)
            const fiber = alive.at(-1 - Math.floor(draw() * 4))
            if (fiber !== undefined) yield* Fiber.interrupt(fiber)
          } else if (kind < 0.7 && truth.dialling === 0) {
            // A dial that ends as it is done away with is one that the pool never had.
            yield* Pool.clear(pool)
          }
          yield* TestClock.adjust(Duration.millis(Math.floor(draw() * 25)))
          wrong = yield* differences(truth)
          if (wrong.length > 0) break
        }
        // Before the pool ends, which would wait for them.
        yield* Fiber.interruptAll(running)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(wrong, [], `after step ${step} from seed ${Seeded.seed}`)
        for (const outcome of Object.keys(truth.ended)) {
          assert.isAbove(truth.ended[outcome]!, 0, `no borrow was ${outcome}`)
        }
        assert.isAbove(truth.closed, 0)
        assert.isAbove(sum(truth.idle), 0)
      }))),
    60_000
  )
})
