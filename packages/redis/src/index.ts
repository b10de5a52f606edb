/**
 * Resilient Redis for Effect: ioredis connections behind one layer. Written by `npm run check -- --fix` from the
 * modules' own comments.
 *
 * @since 0.1.0
 */

/**
 * Redis over ioredis: a few connections that all callers use at once, others that one caller has for himself, both in
 * one Breakwater pool, policies around every command, every failure typed.
 *
 * @since 0.1.0
 */
export * as Redis from "./Redis.ts"

/**
 * What can go wrong with a command, beyond the pool and the policies, whose errors pass through as they are.
 *
 * @since 0.1.0
 */
export * as RedisError from "./RedisError.ts"

/**
 * How Redis' errors count for policies, and whether a command that failed can have taken effect.
 *
 * @since 0.1.0
 */
export * as RedisOutcome from "./RedisOutcome.ts"
