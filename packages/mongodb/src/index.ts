/**
 * Resilient MongoDB for Effect: the driver's pool behind one layer. Written by `npm run check -- --fix` from the
 * modules' own comments.
 *
 * @since 0.1.0
 */

/**
 * MongoDB through the driver's own pool: bounded, watched, warmed and drained as every backend is, policies around
 * each call, every failure typed.
 *
 * @since 0.1.0
 */
export * as Mongo from "./Mongo.ts"

/**
 * What can go wrong at MongoDB and on the way to it. Errors of the pool (no connection in time, a full queue, an end)
 * are `PoolError`s, those of policies `PolicyError`s.
 *
 * @since 0.1.0
 */
export * as MongoError from "./MongoError.ts"

/**
 * How the exits of work at MongoDB count for policies.
 *
 * @since 0.1.0
 */
export * as MongoOutcome from "./MongoOutcome.ts"
