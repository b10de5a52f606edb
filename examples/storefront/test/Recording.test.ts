import { assert, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Recording } from "../storm/Recording.ts"

const WAITING = "db_client_connection_pending_requests{db_client_connection_pool_name=\"storefront\"}"
const OTHER = "db_client_connection_pending_requests{db_client_connection_pool_name=\"a b\"}"

it.effect("records before a fault, shortly before its end and after it, what alert rules read and nothing else", () =>
  Effect.gen(function*() {
    let scraped = 0
    const scrape = Effect.sync(() => {
      scraped++
      return [
        "# TYPE db_client_connection_pending_requests gauge",
        `${WAITING} ${scraped}`,
        ...(scraped < 3 ? [] : [`${OTHER} 7`]),
        "nodejs_heap_bytes{space=\"new\"} 1",
        ""
      ].join("\n")
    })
    const recording = new Recording(scrape)
    const stage = Effect.as(Effect.sleep("5 seconds"), "recovered")
    const running = yield* Effect.forkChild(recording.during("postgres.kill", Duration.seconds(2), stage))
    yield* TestClock.adjust("5 seconds")
    assert.strictEqual(yield* Fiber.join(running), "recovered")
    assert.deepStrictEqual(recording.recorded("today"), {
      taken: "today",
      series: [OTHER, WAITING],
      stages: [{ name: "postgres.kill", at: [0, 1.9, 5], samples: ["_ 1", "_ 2", "7 3"] }]
    })
  }))
