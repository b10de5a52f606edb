/**
 * Resilient HTTP for Effect: undici's pools with limits, deadlines and policies. Written by `npm run check -- --fix`
 * from the modules' own comments.
 *
 * @since 0.1.0
 */

/**
 * HTTP behind Effect's own `HttpClient`, undici's `Dispatcher` and `fetch`: connections of undici with hard limits per
 * origin and in total, a bounded wait, time limits for every part of a call, and a policy for each origin.
 *
 * @since 0.1.0
 */
export * as Http from "./Http.ts"

/**
 * What can go wrong between a request and the end of its response, beyond what the server answers. These errors are
 * the causes of the `HttpClientError`s that the client fails with; `fromHttpClientError` gives them back.
 *
 * @since 0.1.0
 */
export * as HttpError from "./HttpError.ts"

/**
 * How the end of an HTTP request counts for policies.
 *
 * @since 0.1.0
 */
export * as HttpOutcome from "./HttpOutcome.ts"
