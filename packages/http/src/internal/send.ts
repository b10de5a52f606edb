/**
 * One call, with everything around it: the policy of its origin, the wait for a connection, redirects, and the bound on
 * the body, which outlives the call.
 *
 * @internal
 */
import { measured } from "@breakwater/core/Backend"
import * as Deadline from "@breakwater/core/Deadline"
import * as Monotonic from "@breakwater/core/Monotonic"
import * as Operation from "@breakwater/core/Operation"
import * as Policy from "@breakwater/core/Policy"
import { isPolicyError, type PolicyError } from "@breakwater/core/PolicyError"
import * as Pool from "@breakwater/core/Pool"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Scope from "effect/Scope"
import type { Dispatcher } from "undici/index.js"
import { type Failure, HttpError, isHttpError, outcomeOfStatus } from "../HttpError.ts"
import * as HttpOutcome from "../HttpOutcome.ts"
import { Answers, discard } from "./answers.ts"
import type { Connection } from "./connection.ts"
import { decode } from "./decode.ts"
import { Exchange, type Incoming } from "./exchange.ts"
import type { Origin, Origins } from "./origins.ts"
import { type Outgoing, redirected } from "./redirect.ts"
import type { Upstream } from "./upstream.ts"

/** Ahead of everybody who waits: whoever asks wants to know now. */
const PROBE_PRIORITY = Number.MAX_SAFE_INTEGER

/** Of the program's own requests only is it counted how they go. */
const isProbe = ({ priority }: Call): boolean => priority === PROBE_PRIORITY

/** What one call has at hand beyond its end. */
interface Call {
  readonly origins: Origins
  readonly clock: Clock.Clock
  readonly startedAt: number
  /** What the whole call may take. */
  readonly limit: Duration.Duration
  /** The highest waits least. */
  readonly priority: number
  /** To the request that is under way: a redirect makes another one. */
  answers: Answers
}

export interface Answer extends Incoming {
  /** Of the last redirect. */
  readonly url: URL
}

const leftOf = (call: Call): number => Duration.toMillis(call.limit) - (Monotonic.millis(call.clock) - call.startedAt)

/** A connection of the origin, then a permit of the total; both within the one time that a request may wait. */
const borrow = (call: Call, origin: Origin, label: string): Effect.Effect<Connection, Failure, Scope.Scope> =>
  Effect.suspend(() => {
    const { permits, settings } = call.origins
    const since = Monotonic.millis(call.clock)
    const { priority } = call
    return Effect.flatMap(Pool.get(origin.pool, { label, priority }), (connection) => {
      const left = Duration.toMillis(settings.wait.timeout) - (Monotonic.millis(call.clock) - since)
      return Pool.get(permits, { label, priority, key: origin.origin, timeout: Math.max(1, left) }).pipe(
        Effect.andThen(Effect.acquireRelease(
          Effect.sync(() => {
            connection.take()
            const taken = Monotonic.millis(call.clock)
            call.origins.times.wait.record(taken - since)
            return { connection, taken }
          }),
          ({ taken }) =>
            Effect.sync(() => {
              call.origins.times.use.record(Monotonic.millis(call.clock) - taken)
              connection.giveBack()
            })
        )),
        Effect.as(connection)
      )
    })
  })

/** Ends a body that nobody has read when the whole call should be over. */
const boundBody = (call: Call, incoming: Incoming, onEnd: (stop: () => void) => void): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { settings } = call.origins
    const timeout = Effect.andThen(
      Effect.sleep(Math.max(1, leftOf(call))),
      Effect.sync(() => {
        const reason = { client: settings.name, origin: incoming.origin, deadline: call.limit }
        incoming.body.destroy(new HttpError({ _tag: "TotalTimeout", ...reason }))
      })
    )
    return Effect.map(Effect.forkDetach(timeout), (fiber) => onEnd(() => fiber.interruptUnsafe()))
  })

/** Sends the request and waits for the headers. From its start on, the end of the exchange closes the scope. */
const exchange = (
  call: Call,
  answers: Answers,
  connection: Connection,
  outgoing: Outgoing,
  scope: Scope.Closeable
): Effect.Effect<Incoming, Failure> => {
  let stopTimer: (() => void) | undefined
  let ended = false
  const onEnd = () => {
    ended = true
    stopTimer?.()
    Effect.runFork(Scope.close(scope, Exit.void))
  }
  const head = Effect.callback<Incoming, HttpError>((resume) => {
    const onHead = (result: HttpError | Incoming) => {
      if (isHttpError(result)) return resume(Effect.fail(result))
      resume(Effect.succeed(answers.came(decode(result, outgoing.method, call.origins.settings))))
    }
    const running = new Exchange(connection, call.origins.settings, onHead, onEnd)
    connection.client.dispatch(dispatchOptions(outgoing), running)
    return Effect.sync(() => running.abort())
  })
  return Effect.tap(head, (incoming) =>
    ended ? Effect.void : boundBody(call, incoming, (stop) => {
      if (ended) stop()
      else stopTimer = stop
    }))
}

/** The server hears how long its answer is waited for, where it is to know. */
const told = (call: Call, outgoing: Outgoing): Effect.Effect<Outgoing> => {
  const { pattern, settings: { deadlineHeader } } = call.origins
  if (deadlineHeader === undefined) return Effect.succeed(outgoing)
  const { timeout = Duration.infinity } = Policy.limits(pattern)
  return Effect.map(Deadline.remaining, (remaining) => {
    const millis = Math.max(1, Math.floor(Math.min(Duration.toMillis(Duration.min(remaining, timeout)), leftOf(call))))
    return { ...outgoing, headers: { ...outgoing.headers, [deadlineHeader]: String(millis) } }
  })
}

const dispatchOptions = (outgoing: Outgoing): Dispatcher.DispatchOptions => ({
  method: outgoing.method,
  path: outgoing.url.pathname + outgoing.url.search,
  headers: outgoing.headers,
  body: outgoing.body()
})

/** A status that says the server is not well is a failure for the policy, and an answer for the program. */
const judge = (call: Call, answers: Answers, incoming: Incoming): Effect.Effect<Incoming, HttpError> => {
  if (outcomeOfStatus(incoming.status)._tag === "Success") return Effect.succeed(incoming)
  answers.fails(incoming)
  if (!isProbe(call)) call.origins.sent.failures++
  const retryAfter = HttpOutcome.retryAfter(incoming.headers, call.clock.currentTimeMillisUnsafe())
  const at = { client: call.origins.settings.name, origin: incoming.origin, status: incoming.status }
  return Effect.fail(new HttpError({ _tag: "BadStatus", ...at, retryAfter }))
}

/** Of the program's requests, until the headers are there. */
const timed = <A, E>(call: Call, answer: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  isProbe(call) ? answer : measured(answer, call.origins.sent)

const attempt = (
  call: Call,
  origin: Origin,
  outgoing: Outgoing,
  bounded: Policy.Attempt<PolicyError>
): Effect.Effect<Incoming, Failure> =>
  Effect.suspend(() => {
    const { answers } = call
    const scope = Scope.makeUnsafe()
    const sent = (connection: Connection) =>
      Effect.flatMap(told(call, outgoing), (request) => exchange(call, answers, connection, request, scope))
    return answers.awaiting(borrow(call, origin, `${outgoing.method} ${origin.origin}`)).pipe(
      Scope.provide(scope),
      Effect.flatMap((connection) => bounded(timed(call, sent(connection)))),
      Effect.onError(() => Scope.close(scope, Exit.void)),
      Effect.flatMap((incoming) => judge(call, answers, incoming))
    )
  })

const operationOf = (call: Call, origin: string, outgoing: Outgoing, marked: boolean) =>
  Operation.make(`${call.origins.settings.name}.${outgoing.method}`, {
    idempotent: marked || outgoing.idempotent,
    key: origin
  })

const toOrigin = (
  call: Call,
  outgoing: Outgoing,
  marked: boolean,
  begun: Policy.Attempt<PolicyError> = identity
): Effect.Effect<Incoming, Failure> =>
  Effect.flatMap(call.origins.get(outgoing.url.origin), (origin) => {
    const operation = operationOf(call, origin.origin, outgoing, marked)
    return Policy.run(
      origin.policy,
      operation,
      (bounded: Policy.Attempt<PolicyError>) => attempt(call, origin, outgoing, (work) => begun(bounded(work)))
    )
  })

/** Each attempt at one of several equals, the next one at another. */
const toUpstream = (
  call: Call,
  upstream: Upstream,
  outgoing: Outgoing,
  marked: boolean
): Effect.Effect<Incoming, Failure> => {
  const operation = operationOf(call, outgoing.url.origin, outgoing, marked)
  const tried = new Set<string>()
  const once = (begun: Policy.Attempt<PolicyError>, left: number): Effect.Effect<Incoming, Failure> =>
    Effect.flatMap(upstream.choose(outgoing.url, tried), (origin) => {
      tried.add(origin)
      const sent = toOrigin(call, { ...outgoing, url: upstream.at(origin, outgoing.url) }, marked, begun)
      return Effect.onExit(sent, (exit) => upstream.record(origin, exit)).pipe(
        // Nothing was sent: another one may do.
        Effect.catchIf((error) => left > 1 && isCircuitOpen(error), () => once(begun, left - 1))
      )
    })
  return Policy.run(
    upstream.policy,
    operation,
    (begun: Policy.Attempt<PolicyError>) => once(begun, upstream.isCommon(outgoing.url) ? upstream.size : 1)
  )
}

const isCircuitOpen = (error: Failure): boolean => isPolicyError(error) && error.reason._tag === "CircuitOpen"

/** One hop: everything that comes before a redirect. */
const hop = (call: Call, outgoing: Outgoing, marked: boolean): Effect.Effect<Incoming, Failure> =>
  Effect.suspend(() => {
    const { upstream } = call.origins
    const answers = call.answers = new Answers()
    const sent = upstream?.has(outgoing.url.origin) === true
      ? toUpstream(call, upstream, outgoing, marked)
      : toOrigin(call, outgoing, marked)
    return Effect.matchEffect(sent, {
      onSuccess: (incoming) => Effect.succeed(answers.take(incoming)),
      onFailure: (error) => {
        const last = isHttpError(error) && error.reason._tag === "BadStatus" ? answers.take() : undefined
        return last === undefined ? Effect.fail(error) : Effect.succeed(last)
      }
    })
  })

const follow = (
  call: Call,
  outgoing: Outgoing,
  marked: boolean,
  redirects: number
): Effect.Effect<Answer, Failure> =>
  Effect.flatMap(hop(call, outgoing, marked), (incoming): Effect.Effect<Answer, Failure> => {
    const { settings: { name: client, redirects: max }, upstream } = call.origins
    const url = upstream?.at(incoming.origin, outgoing.url) ?? outgoing.url
    const next = max === 0 || !outgoing.follow ? undefined : redirected({ ...outgoing, url }, incoming, upstream)
    if (next === undefined) return Effect.succeed({ ...incoming, url })
    if (redirects >= max) {
      return Effect.fail(new HttpError({ _tag: "TooManyRedirects", client, origin: incoming.origin, max }))
    }
    call.answers.discardTaken()
    const rest = Deadline.make(Math.max(1, leftOf(call)))
    const operation = operationOf(call, next.url.origin, next, marked)
    return Policy.run(rest, operation, (begun) => begun(follow(call, next, marked, redirects + 1)))
  })

const callOf = (origins: Origins, clock: Clock.Clock, limit: Duration.Duration, priority: number): Call => ({
  origins,
  clock,
  startedAt: Monotonic.millis(clock),
  limit,
  priority,
  answers: new Answers()
})

const releasing = <A>(call: Call, effect: Effect.Effect<A, Failure>): Effect.Effect<A, Failure> =>
  Effect.onError(effect, () =>
    Effect.sync(() => {
      call.answers.destroy()
    }))

/**
 * Sends a request and gives the answer as soon as its headers are there. On failure and interruption nothing of it is
 * left; on success the body holds its connection until it is read, destroyed, or out of time.
 */
export const send = (origins: Origins, outgoing: Outgoing): Effect.Effect<Answer, Failure> =>
  Effect.withFiber((fiber) =>
    Effect.flatMap(Deadline.remaining, (remaining) => {
      const { deadline = Duration.infinity } = Policy.limits(origins.pattern)
      const limit = Duration.min(remaining, deadline)
      const call = callOf(origins, fiber.getRef(Clock.Clock), limit, 0)
      return releasing(call, follow(call, outgoing, Operation.isMarkedIdempotent(fiber.context), 0))
    })
  )

/**
 * One attempt, past every policy: an open circuit says nothing of how the server is now. A status that says the server is
 * not well is a failure here.
 */
export const probe = (
  origins: Origins,
  outgoing: Outgoing,
  limit: Duration.Duration
): Effect.Effect<void, Failure> =>
  Effect.withFiber((fiber) => {
    const call = callOf(origins, fiber.getRef(Clock.Clock), limit, PROBE_PRIORITY)
    return releasing(
      call,
      Effect.flatMap(origins.get(outgoing.url.origin), (origin) => attempt(call, origin, outgoing, identity)).pipe(
        Effect.map(({ body }) => discard(body))
      )
    )
  })
