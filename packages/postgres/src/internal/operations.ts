/**
 * What policies are told of statements. A handful of kinds per client, so each is made once.
 *
 * @internal
 */
import * as Operation from "@breakwater/core/Operation"
import { type AttemptTimeout, PolicyError } from "@breakwater/core/PolicyError"
import type * as Pool from "@breakwater/core/Pool"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import { isPlainRead, verbOf } from "./statement.ts"

export interface Kind {
  readonly operation: Operation.Operation
  /** The holder of a session is known by the name of what it does. */
  readonly borrow: Pool.UseOptions
}

export class Operations {
  private readonly kinds = new Map<string, Kind>()
  private readonly name: string
  private readonly readsAreIdempotent: boolean
  readonly begin: Kind
  readonly borrow: Kind
  readonly listen: Kind

  constructor(name: string, readsAreIdempotent: boolean) {
    this.name = name
    this.readsAreIdempotent = readsAreIdempotent
    this.begin = this.kind("begin", true)
    this.borrow = this.kind("borrow", true)
    this.listen = this.kind("listen", true)
  }

  outside(sql: string, context: Context.Context<never>): Kind {
    const idempotent = Operation.isMarkedIdempotent(context) || (this.readsAreIdempotent && isPlainRead(sql))
    return this.kind(verbOf(sql), idempotent)
  }

  inTransaction(sql: string, context: Context.Context<never>): Kind {
    return this.kind(verbOf(sql), Operation.isMarkedIdempotent(context))
  }

  commit(sql: string): Kind {
    return this.kind(verbOf(sql), false)
  }

  /** No row came for as long as an attempt may take. */
  silence(sql: string, timeout: Duration.Duration): PolicyError<AttemptTimeout> {
    const operation = this.kind(verbOf(sql), false).operation.name
    return new PolicyError({ _tag: "AttemptTimeout", operation, timeout, attempt: 1, sent: "unknown" })
  }

  private kind(verb: string, idempotent: boolean): Kind {
    const key = idempotent ? `${verb}!` : verb
    const known = this.kinds.get(key)
    if (known !== undefined) return known
    const name = `${this.name}.${verb === "" || verb.length > MAX_VERB ? "statement" : verb}`
    const kind = { operation: Operation.make(name, { idempotent }), borrow: { label: name } }
    // Verbs are few; a program that makes them up must not fill the memory.
    if (this.kinds.size < MAX_KINDS) this.kinds.set(key, kind)
    return kind
  }
}

const MAX_KINDS = 256
const MAX_VERB = 16
