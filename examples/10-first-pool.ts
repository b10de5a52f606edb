// A pool of anything that is dear to open: two at most, used again and again, and an error that says who holds them.
import { Pool } from "@breakwater/core"
import { Console, Effect } from "effect"

let workers = 0

/** Takes a while to start, and must be stopped. */
const worker = Effect.acquireRelease(
  Effect.gen(function*() {
    yield* Effect.sleep("50 millis")
    const name = `worker ${++workers}`
    yield* Console.log(`  ${name} started`)
    return { name, run: (job: string) => Effect.as(Effect.sleep("20 millis"), `${job} by ${name}`) }
  }),
  ({ name }) => Console.log(`  ${name} stopped`)
)

const program = Effect.gen(function*() {
  const pool = yield* Pool.make({ name: "workers", acquire: worker, size: { max: 2 }, wait: { timeout: "200 millis" } })

  yield* Console.log("Six jobs at once, two workers:")
  const jobs = ["resize", "encode", "sign", "send", "index", "archive"]
  const results = yield* Effect.forEach(jobs, (job) => Pool.use(pool, (one) => one.run(job)), {
    concurrency: "unbounded"
  })
  yield* Console.log(`  ${results.join(", ")}`)

  const { acquired, max, opened, reused } = yield* Pool.stats(pool)
  yield* Console.log(`${acquired} borrows, ${opened} workers opened (max ${max}), ${reused} times one was used again`)

  yield* Console.log("Both are held for too long. Who asks meanwhile is told by whom:")
  const hold = Effect.scoped(Effect.andThen(Pool.get(pool, { label: "nightly report" }), Effect.sleep("400 millis")))
  yield* Effect.forkScoped(Effect.all([hold, hold], { concurrency: 2 }))
  yield* Effect.yieldNow
  yield* Pool.use(pool, (one) => one.run("urgent")).pipe(
    Effect.catchReason(
      "PoolError",
      "AcquireTimeout",
      ({ oldestHolder, stats }, error) =>
        Console.log(
          `  ${stats.used} of ${stats.max} in use, the oldest by "${oldestHolder?.label}"\n  ${error.message}`
        )
    )
  )
  yield* Console.log("The end of the scope waits for the report and closes the pool:")
})

await Effect.runPromise(Effect.scoped(program))
