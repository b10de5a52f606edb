/**
 * What the first word of an error reply says of the server.
 *
 * @internal
 */
import * as Outcome from "@breakwater/core/Outcome"

/** Not executed, and another server or another moment would do. */
const NOT_NOW = new Set(["LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "MISCONF", "NOREPLICAS"])

/** Not executed for lack of memory or time. */
const TOO_MUCH = new Set(["OOM", "BUSY", "UNKILLABLE"])

/** The connection leads to a replica, and so do the others: the server that takes writes must be sought anew. */
const REPLICA = new Set(["READONLY", "MASTERDOWN"])

const HINTS: Record<string, string> = {
  MOVED: ". The key lives on another node: this is a node of a cluster, and the client is one of a single server.",
  ASK: ". The key is moving to another node: this is a node of a cluster, and the client is one of a single server.",
  READONLY: ". The server is a replica now; its connections are replaced."
}

const isMaxClients = (text: string): boolean => text.includes("max number of clients")

/** What the server enforces shows that it is well. */
export const outcomeOfReply = (code: string, text: string): Outcome.Outcome => {
  if (NOT_NOW.has(code)) return Outcome.failure("no")
  return TOO_MUCH.has(code) || isMaxClients(text) ? Outcome.overload("no") : Outcome.success
}

export const isOfReplica = (code: string): boolean => REPLICA.has(code)

/** The connection belongs to nobody any more: another one must be opened. */
export const spoilsConnection = (code: string): boolean => code === "NOAUTH"

export const codeOf = (text: string): string => /^[A-Z][A-Z0-9]*(?=\s|$)/.exec(text)?.[0] ?? "ERR"

export const hintOf = (code: string): string => HINTS[code] ?? ""
