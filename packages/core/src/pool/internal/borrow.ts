/**
 * One borrow, from the request to the return: the place in the queue, the deadline, and the lease in one object, so
 * that a borrow allocates once.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import type { Deadline } from "../../internal/deadlines.ts"
import type { Task } from "../../internal/outbox.ts"
import { Waiter } from "../../internal/waitQueue.ts"
import { type Holder, PoolError, type Revoked } from "../PoolError.ts"
import type { Connection } from "./connection.ts"
import type { Kept, Kin, Lineage } from "./lineage.ts"
import type { UseOptions } from "./options.ts"

/** How a borrow that is not served ends. */
export type Refusal = "TimedOut" | "Refused" | "Shed" | "Unavailable" | "NestedRefused" | "ClosedRefused"

/** What a borrow needs of its pool. */
export interface Lender<A> {
  readonly settings: { readonly name: string }
  readonly lineage: Lineage<Borrow<A>>
  expire(borrow: Borrow<A>): void
  error(borrow: Borrow<A>, refusal: Refusal): PoolError
}

export class Borrow<A> extends Waiter implements Deadline, Task, Kin {
  deadlineAt = 0
  deadlineArmed = false
  /** The lease. */
  connection: Connection<A> | undefined
  refusal: Refusal | undefined
  revoked: Revoked["why"] | undefined
  resume: ((exit: Exit.Exit<void, PoolError>) => void) | undefined
  /** Monotonic milliseconds: when the request came, and when it was served. */
  requestedAt = 0
  leasedAt = 0
  /** Has been named as a leak. */
  leaked = false
  leases = 0
  waitingInside = 0
  within: Kin["within"]
  kept: Kept | undefined
  context: Context.Context<never> | undefined
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly label: string | undefined
  private readonly lender: Lender<A>

  constructor(lender: Lender<A>, fiber: Fiber.Fiber<unknown, unknown>, options: UseOptions | undefined) {
    super(options?.priority ?? 0, options?.key)
    this.lender = lender
    this.fiber = fiber
    this.context = fiber.context
    this.label = options?.label
  }

  get lineage(): Lineage<Borrow<A>> {
    return this.lender.lineage
  }

  onDeadline(): void {
    this.lender.expire(this)
  }

  /** Tells the caller. Errors are made here, not when they are decided: thousands may be decided at one instant. */
  run(): void {
    const exit = this.refusal === undefined ? Exit.void : Exit.fail(this.lender.error(this, this.refusal))
    this.resume?.(exit)
  }

  /** How work on a lease that was cut fails: the driver's error says only that its connection went away. */
  failure<E>(cause: Cause.Cause<E>): Effect.Effect<never, E | PoolError> {
    return this.revoked === undefined
      ? Effect.failCause(cause)
      : Effect.fail(
        new PoolError({
          reason: { _tag: "Revoked", pool: this.lender.settings.name, why: this.revoked, cause: Cause.squash(cause) }
        })
      )
  }

  holder(now: number): Holder {
    return { age: Duration.millis(now - this.leasedAt), label: this.label, site: this.context && siteOf(this.context) }
  }
}

const siteOf = (context: Context.Context<never>): string | undefined => {
  const frame = Context.get(context, References.CurrentStackFrame)
  if (frame !== undefined) return frame.name
  const span = Context.getOption(context, Tracer.ParentSpan)
  return Option.isSome(span) && span.value._tag === "Span" ? span.value.name : undefined
}
