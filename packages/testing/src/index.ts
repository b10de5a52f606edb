/**
 * Real servers and real faults for tests, examples and benchmarks.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 */
export * as Fault from "./Fault.ts"

/**
 * @since 0.1.0
 */
export * as FaultProxy from "./FaultProxy.ts"
