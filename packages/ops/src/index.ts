/**
 * Health, metrics, statistics and a dashboard for Breakwater's backends. Written by `npm run check -- --fix` from the
 * modules' own comments.
 *
 * @since 0.1.0
 */

/**
 * Alert rules for Prometheus over what `/metrics` shows, one for each way in which pools fail. They are silent while
 * all is well, and each says what to look at first. As a file: `docs/deploy/prometheus/alerts.yml`.
 *
 * @since 0.1.0
 */
export * as Alerts from "./Alerts.ts"

/**
 * A board for Grafana over what `/metrics` shows: pools, what backends take for their answers, and policies. As a file
 * to import: `docs/deploy/grafana/breakwater.json`.
 *
 * @since 0.1.0
 */
export * as Board from "./Board.ts"

/**
 * Has clients close their kept connections while the process drains. A server that ends closes those that are idle, in
 * the middle of the next request for whoever is just sending one, and waits for the others for as long as their
 * clients keep them. An answer with `connection: close` is the last of its connection, and both sides know.
 *
 * @since 0.1.0
 */
export * as CloseWhileDraining from "./CloseWhileDraining.ts"

/**
 * Metrics under the names that services with hand-written pools have used, so that their boards and alerts go on
 * working: `connection_pool_*` by kind of backend, and `prisma_*` for Postgres. Beside OpenTelemetry's, which every
 * pool has anyway; nothing is counted a second time.
 *
 * @since 0.1.0
 */
export * as GuideMetrics from "./GuideMetrics.ts"

/**
 * The numbers of a backend under the names that services with hand-written pools have used for them, so that what
 * reads those goes on working. `/stats` has them as `guide` of each backend where `Ops` is given `guideStats`; `of` is
 * for an endpoint of the program's own.
 *
 * @since 0.1.0
 */
export * as GuideStats from "./GuideStats.ts"

/**
 * What people who run a service ask it: is it alive, should it get requests, how are its backends, what did they do.
 * As routes of a router of Effect, or as a handler of web requests for any other server.
 *
 * @since 0.1.0
 */
export * as Ops from "./Ops.ts"

/**
 * The bodies of the health endpoints, as schemas: for whoever reads them.
 *
 * @since 0.1.0
 */
export * as OpsHealth from "./OpsHealth.ts"

/**
 * The bodies of `/stats`, of `/stats/database` and of the stream that feeds the dashboard, as schemas: for whoever
 * reads them.
 *
 * @since 0.1.0
 */
export * as OpsStats from "./OpsStats.ts"
