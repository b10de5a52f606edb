/**
 * What became of a connection, in the words of pools.
 *
 * @internal
 */
import type { CloseReason } from "@breakwater/core/PoolEvent"
import type { CloseWhy } from "../WebSocketError.ts"

/** The nearest word that pools have: none of them is the peer's doing, or the end of an idle connection. */
export const closeReasonOf = (why: CloseWhy): CloseReason => CLOSE_REASONS[why]

const CLOSE_REASONS: Record<CloseWhy, CloseReason> = {
  Peer: "Broken",
  Local: "Invalidated",
  Dead: "CheckFailed",
  Idle: "Invalidated",
  SlowReader: "Broken",
  Drained: "Drained"
}
