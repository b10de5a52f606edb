/**
 * Real servers and real faults for tests, examples and benchmarks. Written by `npm run check -- --fix` from the
 * modules' own comments.
 *
 * @since 0.1.0
 */

/**
 * Faults of a network as values, for `FaultProxy.apply`.
 *
 * @since 0.1.0
 */
export * as Fault from "./Fault.ts"

/**
 * A TCP proxy on 127.0.0.1 whose network fails on command, for the connections that are open and for those to come.
 *
 * @since 0.1.0
 */
export * as FaultProxy from "./FaultProxy.ts"

/**
 * A real Postgres for tests, examples and benchmarks: started here, or given by `BREAKWATER_TEST_POSTGRES_URL`.
 *
 * @since 0.1.0
 */
export * as PostgresServer from "./PostgresServer.ts"

/**
 * What can go wrong between a test and its Postgres server.
 *
 * @since 0.1.0
 */
export * as PostgresServerError from "./PostgresServerError.ts"

/**
 * A real Redis for tests, examples and benchmarks: started here, or given by `BREAKWATER_TEST_REDIS_URL`.
 *
 * @since 0.1.0
 */
export * as RedisServer from "./RedisServer.ts"

/**
 * What can go wrong between a test and its Redis server.
 *
 * @since 0.1.0
 */
export * as RedisServerError from "./RedisServerError.ts"
