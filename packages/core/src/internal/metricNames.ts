/**
 * The names and units of all metrics, so that whoever exports, draws or watches them writes none a second time:
 * OpenTelemetry's where its semantic conventions have one, `breakwater.*` for the rest. Units are UCUM, as there.
 *
 * @internal
 */

/**
 * A metric, and what it is one of where several series share its name.
 *
 * @category models
 * @since 0.1.0
 */
export interface MetricName {
  readonly id: string
  readonly unit: string
  readonly type: "gauge" | "counter" | "histogram"
  /** Key and value of the attribute that tells the series of one name apart. */
  readonly labels?: Readonly<Record<string, string>>
}

const of = (type: MetricName["type"]) => (id: string, unit: string, labels?: MetricName["labels"]): MetricName => ({
  id,
  unit,
  type,
  ...labels !== undefined && { labels }
})

const gauge = of("gauge")
const counter = of("counter")
const histogram = of("histogram")

/**
 * Keys of the attributes that say what a series is of: the name of a pool or of a policy, and the kind of a backend.
 *
 * @category names
 * @since 0.1.0
 */
export const attributes = {
  pool: "db.client.connection.pool.name",
  policy: "breakwater.policy.name",
  backend: "breakwater.backend.kind",
  /** The label of a backend, at the times of its operations; OpenTelemetry's name of what it is one of. */
  owner: "breakwater.backend",
  system: "db.system.name"
} as const

const connections = (state: string) =>
  gauge("db.client.connection.count", "{connection}", { "db.client.connection.state": state })
const borrows = (outcome: string) =>
  counter("breakwater.pool.borrows", "{borrow}", { "breakwater.pool.outcome": outcome })

/**
 * Of a pool, by what `Pool.stats` calls it; the last four are histograms, in seconds.
 *
 * @category names
 * @since 0.1.0
 */
export const pool = {
  idle: connections("idle"),
  used: connections("used"),
  opening: connections("opening"),
  checking: connections("checking"),
  closing: connections("closing"),
  max: gauge("db.client.connection.max", "{connection}"),
  min: gauge("db.client.connection.idle.min", "{connection}"),
  waiting: gauge("db.client.connection.pending_requests", "{request}"),
  timeouts: counter("db.client.connection.timeouts", "{timeout}"),
  opened: counter("breakwater.pool.opened", "{connection}"),
  closed: counter("breakwater.pool.closed", "{connection}"),
  reused: counter("breakwater.pool.reused", "{borrow}"),
  revoked: counter("breakwater.pool.revoked", "{borrow}"),
  acquired: borrows("acquired"),
  timedOut: borrows("timed_out"),
  refused: borrows("refused"),
  shed: borrows("shed"),
  cancelled: borrows("cancelled"),
  unavailable: borrows("unavailable"),
  nested: borrows("nested"),
  refusedClosed: borrows("refused_closed"),
  create: histogram("db.client.connection.create_time", "s"),
  wait: histogram("db.client.connection.wait_time", "s"),
  use: histogram("db.client.connection.use_time", "s"),
  heldIdle: histogram("breakwater.pool.held_idle_time", "s")
} as const

const lost = (reason: string) =>
  counter("breakwater.pool.lost", "{connection}", { "breakwater.pool.lost.reason": reason })

/**
 * Of connections that peers open, by why this side gave them up: the peer did not answer a ping in time, or did not read.
 *
 * @category names
 * @since 0.1.0
 */
export const peers = {
  pingTimeout: lost("ping_timeout"),
  slowReader: lost("slow_reader")
} as const

/** OpenTelemetry's `error.type` is the reason of the `PolicyError` that a call ended with. */
const errors = (reason: string) => counter("breakwater.policy.errors", "{error}", { "error.type": reason })
const circuit = (state: string) =>
  gauge("breakwater.policy.circuit.state", "{circuit}", { "breakwater.policy.circuit.state": state })
const running = (state: string) =>
  gauge("breakwater.policy.concurrency", "{call}", { "breakwater.policy.concurrency.state": state })

/**
 * Of a policy, by what `Policy.snapshot` calls it; what a limit on the calls at once shows begins with `limit`. Of the
 * states of a circuit the one that it is in is 1, the others are 0.
 *
 * @category names
 * @since 0.1.0
 */
export const policy = {
  calls: counter("breakwater.policy.calls", "{call}"),
  attempts: counter("breakwater.policy.attempts", "{attempt}"),
  retries: counter("breakwater.policy.retries", "{attempt}"),
  retriesSkipped: counter("breakwater.policy.retries.skipped", "{attempt}"),
  retriesExhausted: counter("breakwater.policy.retries.exhausted", "{call}"),
  overBudget: counter("breakwater.policy.budget.refused", "{attempt}"),
  hedges: counter("breakwater.policy.hedges", "{attempt}"),
  hedgesWon: counter("breakwater.policy.hedges.won", "{attempt}"),
  hedgesSkipped: counter("breakwater.policy.hedges.skipped", "{call}"),
  circuitOpened: counter("breakwater.policy.circuit.opened", "{event}"),
  recoveries: counter("breakwater.policy.recoveries", "{event}"),
  faultsInjected: counter("breakwater.policy.faults", "{attempt}"),
  attemptTimeouts: errors("AttemptTimeout"),
  deadlinesExceeded: errors("DeadlineExceeded"),
  circuitRejected: errors("CircuitOpen"),
  bulkheadRefused: errors("BulkheadFull"),
  limitRefused: errors("LimitExceeded"),
  throttled: errors("Throttled"),
  rateLimited: errors("RateLimited"),
  circuitClosed: circuit("closed"),
  circuitHalfOpen: circuit("half_open"),
  circuitOpen: circuit("open"),
  limitRunning: running("running"),
  limitWaiting: running("waiting"),
  limitMax: gauge("breakwater.policy.concurrency.max", "{call}"),
  rateLimitWaiting: gauge("breakwater.policy.rate_limit.waiting", "{call}"),
  budget: gauge("breakwater.policy.budget", "{attempt}"),
  hedgeAfter: gauge("breakwater.policy.hedge.delay", "s")
} as const

/**
 * Of what a backend asks of its server: how long it takes, by OpenTelemetry's names for a database and for the client of
 * an HTTP server, and how much of it fails.
 *
 * @category names
 * @since 0.1.0
 */
export const operation = {
  database: histogram("db.client.operation.duration", "s"),
  http: histogram("http.client.request.duration", "s"),
  failures: counter("breakwater.backend.failures", "{operation}")
} as const
