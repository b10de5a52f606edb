/** Two instances behind a balancer, restarted one after the other, while a client goes on asking. */
import { Clock, Effect, Exit, Fiber, Schedule, Scope } from "effect"
import * as Balancer from "./Balancer.ts"
import * as Instance from "./Instance.ts"

const INSTANCES = 2
const ASK_LIMIT = "10 seconds"
const READY_LIMIT = "20 seconds"
/** Before the first restart and after the last. */
const STEADY = "500 millis"

export interface Outcome {
  readonly requests: number
  /** Each request that had no 200, in words. */
  readonly failed: ReadonlyArray<string>
  /** Of the instances that were ended. */
  readonly exitCodes: ReadonlyArray<number>
  /** Milliseconds that the slowest answer took. */
  readonly slowest: number
}

/** Requests at a fixed rate, however slow the answers are; what came of them once it is told to stop. */
const load = Effect.fnUntraced(function*(url: string, rate: number) {
  const failed: Array<string> = []
  let slowest = 0
  const once = Effect.gen(function*() {
    const begun = yield* Clock.currentTimeMillis
    const said = yield* Effect.tryPromise(async (signal) => {
      const response = await fetch(`${url}/work`, { signal })
      return `${response.status} ${await response.text()}`
    }).pipe(Effect.timeout(ASK_LIMIT), Effect.catch((error) => Effect.succeed(String(error))))
    slowest = Math.max(slowest, (yield* Clock.currentTimeMillis) - begun)
    if (!said.startsWith("200 ")) failed.push(said)
  })
  const scope = yield* Scope.make()
  const inFlight = new Set<Fiber.Fiber<unknown>>()
  const begin = Effect.map(Effect.forkIn(once, scope), (fiber) => {
    inFlight.add(fiber)
    fiber.addObserver(() => inFlight.delete(fiber))
  })
  const since = yield* Clock.currentTimeMillis
  let begun = 0
  // What a late timer has left out is made up for.
  const due = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    for (; begun < ((now - since) * rate) / 1000; begun++) yield* begin
  })
  const clock = yield* Effect.forkChild(Effect.repeat(due, Schedule.spaced("5 millis")))
  return Effect.gen(function*() {
    yield* Fiber.interrupt(clock)
    yield* Fiber.awaitAll(inFlight)
    return { requests: begun, failed, slowest }
  })
})

/** `say` hears of every step. */
export const run = Effect.fnUntraced(function*(options: {
  readonly env: Record<string, string>
  readonly rate: number
  readonly say?: (line: string) => void
}) {
  const { env, rate, say = () => {} } = options
  const balancer = yield* Balancer.make
  const begin = Effect.gen(function*() {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const instance = yield* Scope.provide(Instance.start(env), scope)
    yield* Scope.provide(balancer.add(instance.url), scope)
    yield* balancer.isReady(instance.url).pipe(
      Effect.repeat({ until: (ready) => ready, schedule: Schedule.spaced("20 millis") }),
      Effect.timeout(READY_LIMIT)
    )
    say(`${instance.url} is ready`)
    return { ...instance, forget: Scope.close(scope, Exit.void) }
  })
  const instances = yield* Effect.all(Array.from({ length: INSTANCES }, () => begin))
  const stop = yield* load(balancer.url, rate)
  yield* Effect.sleep(STEADY)
  const exitCodes: Array<number> = []
  for (const instance of instances) {
    yield* instance.terminate
    const code = yield* instance.exitCode
    say(`${instance.url} has ended with ${code}`)
    exitCodes.push(code)
    yield* instance.forget
    yield* begin
  }
  yield* Effect.sleep(STEADY)
  return { ...yield* stop, exitCodes } satisfies Outcome
})
