/**
 * The storm's client, a process of its own: sends requests at a fixed rate, however slow the answers are, and writes
 * what it saw to its output. Arguments: URL, requests a second. Stops when its input ends; what is in flight finishes.
 */
import { OpenLoop } from "@breakwater/testing"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Clock, Effect, Fiber, Option, Predicate, Random, Schema } from "effect"
import { randomUUID } from "node:crypto"
import { Order } from "../Orders.ts"
import { StorefrontError } from "../StorefrontError.ts"
import { Batch, type Failure, type Sample } from "./Sample.ts"

/** Above whatever the storefront promises for itself. */
const TIMEOUT = "5 seconds"
const REPORT_EVERY = "50 millis"
/** The rest reads products. */
const SHARES = { order: 0.3, description: 0.15, quote: 0.15 }
/** An order that may have failed for a while only is repeated, with the same key, this often. */
const REPEATS = 2
const REPEAT_AFTER = "1 second"
const PRODUCTS = 12

const [url = "", rate = ""] = process.argv.slice(2)

const stop = new AbortController()
process.stdin.once("close", () => stop.abort()).resume()

// Whoever listened was killed outright: nobody is left to send anything for.
process.stdout.once("error", () => process.exit(1))

let samples: Array<Sample> = []
const report = Effect.sync(() => {
  if (samples.length > 0) process.stdout.write(`${Schema.encodeSync(Batch)(samples)}\n`)
  samples = []
})

interface Answer {
  readonly status: number
  readonly body: string
  readonly cache: string | null
}

const codeOf = (error: unknown): string => {
  const at = Predicate.hasProperty(error, "cause") && error.cause !== undefined ? error.cause : error
  return Predicate.hasProperty(at, "code") ? String(at.code) : String(at)
}

const request = (path: string, init: RequestInit): Effect.Effect<Answer, Failure> =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(`${url}${path}`, { ...init, signal })
      return { status: response.status, body: await response.text(), cache: response.headers.get("x-cache") }
    },
    catch: (error): Failure => ({ how: "socket", name: `Socket.${codeOf(error)}` })
  }).pipe(
    Effect.timeoutOrElse({
      duration: TIMEOUT,
      orElse: () => Effect.fail<Failure>({ how: "timeout", name: "Client.Timeout" })
    })
  )

const decodeError = Schema.decodeUnknownOption(Schema.fromJsonString(StorefrontError))
const decodeOrder = Schema.decodeUnknownOption(Schema.fromJsonString(Order))

const typed = (answer: Answer): Failure => {
  const error = decodeError(answer.body)
  if (Option.isNone(error)) return { how: "untyped", name: `Untyped.${answer.status}` }
  const { reason } = error.value
  return { how: "typed", name: "because" in reason ? reason.because : `StorefrontError.${reason._tag}` }
}

/** An order that was acknowledged without saying which cannot be looked for: that is no success. */
const judge = (kind: Sample["kind"], answer: Answer): Pick<Sample, "cache" | "failure" | "order"> => {
  if (answer.status >= 400) return { failure: typed(answer) }
  if (kind !== "order") return answer.cache === null ? {} : { cache: answer.cache }
  return Option.match(decodeOrder(answer.body), {
    onNone: () => ({ failure: { how: "untyped", name: `Untyped.${answer.status}` } }),
    onSome: (order) => ({ order })
  })
}

/** Sends and records one request; whether it may be repeated. */
const send = Effect.fnUntraced(function*(kind: Sample["kind"], began: number, path: string, init: RequestInit) {
  const judged = yield* request(path, init).pipe(
    Effect.map((answer) => judge(kind, answer)),
    Effect.catch((failure) => Effect.succeed({ failure }))
  )
  samples.push({ kind, began, ended: yield* Clock.currentTimeMillis, ...judged })
  const { failure } = judged
  return failure !== undefined && !(failure.how === "typed" && failure.name.startsWith("StorefrontError"))
})

const read = Effect.fnUntraced(function*(began: number) {
  const product = yield* Random.nextIntBetween(0, PRODUCTS)
  yield* send("read", began, product === 0 ? "/products" : `/products/${product}`, {})
})

const about = Effect.fnUntraced(function*(kind: "description" | "quote", began: number) {
  const product = yield* Random.nextIntBetween(1, PRODUCTS)
  yield* send(kind, began, `/products/${product}/${kind === "quote" ? "shipping" : "description"}`, {})
})

const order = Effect.fnUntraced(function*(began: number) {
  const product = yield* Random.nextIntBetween(1, PRODUCTS)
  const init = {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": randomUUID() },
    body: JSON.stringify({ product, quantity: 1 })
  }
  let again = yield* send("order", began, "/orders", init)
  for (let repeats = 0; again && repeats < REPEATS; repeats++) {
    yield* Effect.sleep(REPEAT_AFTER)
    if (stop.signal.aborted) return
    again = yield* send("order", yield* Clock.currentTimeMillis, "/orders", init)
  }
})

/** What the next one wants, by a number from 0 to 1. */
const arrival = (dice: number, due: number) => {
  if (dice < SHARES.order) return order(due)
  if (dice < SHARES.order + SHARES.description) return about("description", due)
  return dice < SHARES.order + SHARES.description + SHARES.quote ? about("quote", due) : read(due)
}

const stopped = Effect.callback<void>((resume) => {
  stop.signal.addEventListener("abort", () => resume(Effect.void))
})

const arrivals = OpenLoop.run({
  phases: [{ seconds: Infinity, rate: Number(rate) }],
  call: ({ due }) => Effect.flatMap(Random.next, (dice) => arrival(dice, due)),
  until: stopped
})

const program = Effect.gen(function*() {
  const reporting = yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sleep(REPORT_EVERY), report)))
  yield* arrivals
  yield* Fiber.interrupt(reporting)
  yield* report
})

NodeRuntime.runMain(program)
