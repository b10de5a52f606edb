/**
 * What became of a connection, in the words of pools.
 *
 * @internal
 */
import type { CloseReason } from "@breakwater/core/PoolEvent"
import type { CloseWhy } from "../WebSocketError.ts"

export const closeReasonOf = (why: CloseWhy): CloseReason => CLOSE_REASONS[why]

const CLOSE_REASONS: Record<CloseWhy, CloseReason> = {
  Peer: "PeerClosed",
  Local: "Invalidated",
  Dead: "PingTimeout",
  Idle: "Idle",
  SlowReader: "SlowReader",
  Drained: "Drained"
}
