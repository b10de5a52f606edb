/**
 * How the errors of WebSockets count for policies.
 *
 * A peer that cannot be reached, is dead or does not read is a `Failure`; a server that names the time of the next
 * attempt is an `Overload`; full buffers and limits of this side are `Ignored`. A message counts as not sent only where
 * it was surely never handed to the network.
 *
 * @since 0.1.0
 */
import * as Outcome from "@breakwater/core/Outcome"

/**
 * The outcome of one attempt: what the `WebSocketError` in it says, else as `Outcome.fromExit`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromExit: Outcome.Classifier = Outcome.fromExit
