/**
 * The least that a load balancer is: it asks every instance whether it is ready, sends each request to the one of those
 * with the fewest in flight, and repeats nothing.
 */
import { Data, Effect, Schedule, type Scope } from "effect"
import { createServer } from "node:http"

const ASK_EVERY = "100 millis"
const ANSWER_LIMIT = "1 second"

class NotListening extends Data.TaggedError("NotListening")<{ readonly cause: unknown }> {}

interface Instance {
  readonly url: string
  ready: boolean
  inFlight: number
}

export interface Balancer {
  readonly url: string
  /** Until the scope closes, or it is taken out. */
  readonly add: (url: string) => Effect.Effect<void, never, Scope.Scope>
  readonly isReady: (url: string) => Effect.Effect<boolean>
}

const ask = (instance: Instance) =>
  Effect.tryPromise((signal) => fetch(`${instance.url}/health/ready`, { signal })).pipe(
    Effect.flatMap((response) => Effect.as(Effect.promise(() => response.text()), response.ok)),
    Effect.timeout(ANSWER_LIMIT),
    Effect.orElseSucceed(() => false),
    Effect.map((ready) => {
      instance.ready = ready
    })
  )

/** Which instance takes a request, or none. */
const choose = (instances: ReadonlySet<Instance>): Instance | undefined =>
  [...instances].filter(({ ready }) => ready).toSorted((a, b) => a.inFlight - b.inFlight)[0]

const forward = async (instances: ReadonlySet<Instance>, path: string) => {
  const instance = choose(instances)
  if (instance === undefined) return { status: 503, body: "no instance is ready" }
  instance.inFlight++
  try {
    const response = await fetch(`${instance.url}${path}`)
    return { status: response.status, body: await response.text() }
  } catch (error) {
    return { status: 502, body: `${instance.url} did not answer: ${String(error)}` }
  } finally {
    instance.inFlight--
  }
}

/** On a free port of this machine, for as long as the scope lives. */
export const make: Effect.Effect<Balancer, NotListening, Scope.Scope> = Effect.gen(function*() {
  const instances = new Set<Instance>()
  const server = createServer((request, response) =>
    void forward(instances, request.url ?? "/").then(({ body, status }) => {
      response.writeHead(status)
      response.end(body)
    })
  )
  const port = yield* Effect.acquireRelease(
    Effect.callback<number, NotListening>((resume) => {
      server.once("error", (cause) => resume(Effect.fail(new NotListening({ cause }))))
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" ? address?.port ?? 0 : 0))
      })
    }),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  return {
    url: `http://127.0.0.1:${port}`,
    add: Effect.fnUntraced(function*(url: string) {
      const instance: Instance = { url, ready: false, inFlight: 0 }
      yield* Effect.acquireRelease(
        Effect.sync(() => instances.add(instance)),
        () => Effect.sync(() => instances.delete(instance))
      )
      yield* Effect.forkScoped(Effect.repeat(ask(instance), Schedule.spaced(ASK_EVERY)))
    }),
    isReady: (url) => Effect.sync(() => [...instances].some((instance) => instance.url === url && instance.ready))
  }
})
