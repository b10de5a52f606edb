/**
 * Connection pools and resilience policies for Effect. Written by `npm run check -- --fix` from the modules' own
 * comments.
 *
 * @since 0.1.0
 */

/**
 * How much of the time that a connection is lent something runs on it. The rest is held in vain: by a borrower that
 * does other work meanwhile, or by none any more. A backend makes one for each connection, tells the pool of it by the
 * option `activity`, and runs its operations through `Backend.measured`, or `during`.
 *
 * @since 0.1.0
 */
export * as Activity from "./backend/Activity.ts"

/**
 * Bounds how many calls run at once by a number that it finds by itself: as many as keep the backend busy, and few
 * more.
 *
 * @since 0.1.0
 */
export * as AdaptiveLimit from "./policy/AdaptiveLimit.ts"

/**
 * What every pooled backend shows to those who watch and steer it: health checks, dashboards, the shutdown of the
 * process. The backend packages make one each and register it in `Backends`.
 *
 * @since 0.1.0
 */
export * as Backend from "./backend/Backend.ts"

/**
 * The backends of a process. Their layers register them on start and take them out on close, so that health checks and
 * shutdown find them without being told of each.
 *
 * @since 0.1.0
 */
export * as Backends from "./backend/Backends.ts"

/**
 * Bounds how many calls run at once, and how many wait for their turn.
 *
 * @since 0.1.0
 */
export * as Bulkhead from "./policy/Bulkhead.ts"

/**
 * The option `policy` of backends, for their authors: which parts there are around each call unless somebody says
 * otherwise, and the one budget for all that repeats.
 *
 * @since 0.1.0
 */
export * as CallPolicy from "./backend/CallPolicy.ts"

/**
 * Breaks calls on purpose: delays them, fails them, or lets them hang. To see in a test, or on a part of the traffic,
 * that the policies around it do what they are there for.
 *
 * @since 0.1.0
 */
export * as Chaos from "./policy/Chaos.ts"

/**
 * Stops calling a backend that fails, and tries it again with a few calls before it trusts it.
 *
 * @since 0.1.0
 */
export * as CircuitBreaker from "./policy/CircuitBreaker.ts"

/**
 * Options of a backend from a `ConfigProvider`, as `layerConfig` reads them: each given one, the URL from its
 * variable, the profile; and all that is wrong with them as `ConfigError`.
 *
 * @since 0.1.0
 */
export * as ConfigOptions from "./backend/ConfigOptions.ts"

/**
 * Connection URLs taken apart, for authors of backends. Errors and warnings name the part and, for settings, the
 * value; none shows the URL, its user or its password, nor what may be the rest of a password that is not encoded.
 *
 * @since 0.1.0
 */
export * as ConnectionUrl from "./backend/ConnectionUrl.ts"

/**
 * Bounds a whole call: its waits for a connection, its attempts and the delays between them.
 *
 * @since 0.1.0
 */
export * as Deadline from "./policy/Deadline.ts"

/**
 * Events of a backend for whoever listens: a stream that ends with its owner, from which a slow listener loses the
 * oldest; and nothing at all while nobody listens, since `publish` is undefined then and the event in `hub.publish?.({
 * … })` is never built.
 *
 * @since 0.1.0
 */
export * as EventHub from "./backend/EventHub.ts"

/**
 * Answers with something else when a call fails: a value, what another effect gives, or the last good value while it
 * is younger than a bound ("stale if error").
 *
 * @since 0.1.0
 */
export * as Fallback from "./policy/Fallback.ts"

/**
 * What the process can say of its backends: each asked for one round trip, in parallel, each within a time of its own.
 *
 * @since 0.1.0
 */
export * as Health from "./backend/Health.ts"

/**
 * Asks a second time when the first attempt is slower than nearly all others are, and takes the answer that comes
 * first: for the rare calls that meet a stalled server, a lost packet or a pause of a garbage collector.
 *
 * @since 0.1.0
 */
export * as Hedge from "./policy/Hedge.ts"

/**
 * How long something took, over and over: counts in buckets, from which any quantile can be read, and which can be
 * added up over several sources and taken apart by time.
 *
 * @since 0.1.0
 */
export * as Histogram from "./backend/Histogram.ts"

/**
 * The phases of a process: starting until its backends are warm and what it needs is prepared, ready, draining from
 * the first word of the end, stopped.
 *
 * @since 0.1.0
 */
export * as Lifecycle from "./backend/Lifecycle.ts"

/**
 * How this library writes what it knows into a log, for authors of backends: all in the message, in pairs as logfmt
 * has them, `max=50 wait=20s`. Annotations would be further lines with Effect's pretty logger, one each; so it is one
 * line with every logger.
 *
 * @since 0.1.0
 */
export * as LogLine from "./backend/LogLine.ts"

/**
 * The metrics of a process with backends: their names and units, for whoever exports them, draws them or raises an
 * alarm by them. They are Effect's, and so in every exporter of Effect; they are read when somebody looks, from what
 * pools and policies count anyway, and cost a call nothing.
 *
 * @since 0.1.0
 */
export * as Metrics from "./backend/Metrics.ts"

/**
 * The hand on which every instant of core is read, for authors of backends: deadlines, activity, the times of a pool.
 * It only goes forward, where the wall clock jumps, and a `TestClock` moves it.
 *
 * @since 0.1.0
 */
export * as Monotonic from "./backend/Monotonic.ts"

/**
 * What a policy may know of a call: its name, whether repeating it is safe, and how it is to be queued.
 *
 * @since 0.1.0
 */
export * as Operation from "./policy/Operation.ts"

/**
 * How an exit counts: as a success, as the backend's failure, as nobody's fault, or as the backend asking for less.
 *
 * @since 0.1.0
 */
export * as Outcome from "./policy/Outcome.ts"

/**
 * Leaves out, for a while, the one of several equals that fails more than the others: a host behind a name, a replica,
 * a region. Whoever chooses among them asks `isEjected` before, and tells with `record` how it went.
 *
 * @since 0.1.0
 */
export * as OutlierEjection from "./policy/OutlierEjection.ts"

/**
 * What is done around a call to a backend so that it bears failures: a deadline, retries, a timeout of each attempt.
 *
 * @since 0.1.0
 */
export * as Policy from "./policy/Policy.ts"

/**
 * The one error of the policies. Its `reason` says which policy ended the call, and its type parameter which reasons
 * are possible, so that `Effect.catchReason("PolicyError", "DeadlineExceeded", …)` is exact.
 *
 * @since 0.1.0
 */
export * as PolicyError from "./policy/PolicyError.ts"

/**
 * What a policy did to a call. Events are published, never logged, and cost nothing while nobody listens.
 *
 * @since 0.1.0
 */
export * as PolicyEvent from "./policy/PolicyEvent.ts"

/**
 * A pool of connections, or of anything that is dear to open: a hard cap, one deadline over queue, dial and check, a
 * bounded queue in order of arrival, checks of what has been idle, and an end that leaves nothing open.
 *
 * @since 0.1.0
 */
export * as Pool from "./pool/Pool.ts"

/**
 * Why a borrow failed, with what the caller needs to decide: which phase it was in, who holds the connections, what
 * the last attempt to connect said, whether anything can have reached the server.
 *
 * @since 0.1.0
 */
export * as PoolError from "./pool/PoolError.ts"

/**
 * What happened to a connection or a borrow. Published by `Pool.events`, never logged; nothing is built while nobody
 * listens.
 *
 * @since 0.1.0
 */
export * as PoolEvent from "./pool/PoolEvent.ts"

/**
 * Presets by environment. The backends keep their values for each, this module says which one counts.
 *
 * @since 0.1.0
 */
export * as Profile from "./backend/Profile.ts"

/**
 * The pool for code outside Effect: the same pool, with promises that reject with the same typed errors, and an
 * `AbortSignal` for every wait.
 *
 * @since 0.1.0
 */
export * as PromisePool from "./pool/PromisePool.ts"

/**
 * A backend for code outside Effect, for its authors: promises that reject with the same typed errors, an
 * `AbortSignal` for every call, one close.
 *
 * @since 0.1.0
 */
export * as Promises from "./backend/Promises.ts"

/**
 * Bounds how many calls begin in a time: evenly, with a burst after a pause. For a backend that allows so many calls a
 * second, and to share one fairly between tenants.
 *
 * @since 0.1.0
 */
export * as RateLimit from "./policy/RateLimit.ts"

/**
 * The one line that a backend writes when it has been made, for authors of backends: what it is, where it leads to,
 * what bounds it and what is done around its calls, so that a log tells what was in force.
 *
 * @since 0.1.0
 */
export * as ReadyLine from "./backend/ReadyLine.ts"

/**
 * Lets a backend clear away what is broken before the next attempt, once for all callers that met it: a server that
 * was restarted leaves a whole pool of dead connections, and each retry would otherwise draw the next one.
 *
 * @since 0.1.0
 */
export * as Recover from "./policy/Recover.ts"

/**
 * Repeats a call whose attempt failed, where that is safe and likely to help.
 *
 * @since 0.1.0
 */
export * as Retry from "./policy/Retry.ts"

/**
 * How many attempts beyond the first all callers of a backend may make together, so that repeating what failed cannot
 * multiply an outage.
 *
 * @since 0.1.0
 */
export * as RetryBudget from "./policy/RetryBudget.ts"

/**
 * Where the settings of a backend come from, in the order of who beats whom: an option of the code, a variable of the
 * environment, a parameter of the URL; and where none of them speaks the profile, and then the default.
 *
 * @since 0.1.0
 */
export * as Setting from "./backend/Setting.ts"

/**
 * How many connections: the arithmetic of the guides, and Little's law from what was measured.
 *
 * @since 0.1.0
 */
export * as Sizing from "./backend/Sizing.ts"

/**
 * Errors without a stack, for authors of backends: made on a timer, in a queue or by the parser of a socket, they
 * would name the runtime only, and capturing the stack is most of what an error costs. A constructor calls `begin`
 * before `super` and hands its answer to `end` right after.
 *
 * @since 0.1.0
 */
export * as Stackless from "./backend/Stackless.ts"

/**
 * Holds calls back on our own side while the backend refuses or fails many of them: "client-side throttling" or
 * "adaptive throttling" of Google's Site Reliability Engineering, chapter "Handling Overload".
 *
 * @since 0.1.0
 */
export * as Throttle from "./policy/Throttle.ts"

/**
 * Bounds one attempt, from the moment its work begins: in a pooled backend from after the borrow, so that time spent
 * in the queue does not count.
 *
 * @since 0.1.0
 */
export * as Timeout from "./policy/Timeout.ts"

/**
 * Checks of options, for authors of backends. Each gives the value back, or throws a `RangeError` that names the
 * option, the value and what is allowed.
 *
 * @since 0.1.0
 */
export * as Validate from "./backend/Validate.ts"
