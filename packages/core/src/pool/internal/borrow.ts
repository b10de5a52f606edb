/**
 * One borrow, from the request to the return: the effect that its fiber runs and the lease in one small object. What
 * only those need who wait is in another one.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import type { Deadline } from "../../internal/deadlines.ts"
import { Frame, type Frames } from "../../internal/frame.ts"
import type { Task } from "../../internal/outbox.ts"
import { Waiter } from "../../internal/waitQueue.ts"
import { type Holder, PoolError, type Revoked } from "../PoolError.ts"
import type { Connection } from "./connection.ts"
import { type Enclosure, Held, type Kept, type Kin, type Lineage } from "./lineage.ts"
import type { UseOptions } from "./options.ts"

/** How a borrow that is not served ends. */
export type Refusal = "TimedOut" | "Refused" | "Shed" | "Unavailable" | "NestedRefused" | "ClosedRefused"

/** What a borrow needs of its pool. */
export interface Lender<A> {
  readonly settings: { readonly name: string }
  readonly frames: Frames
  readonly lineage: Lineage<Wait<A>>
  /** Lends, refuses or queues. */
  request(borrow: Borrow<A>): void
  expire(wait: Wait<A>): void
  /** Takes the connection back, or the borrow out of the queue. */
  release(borrow: Borrow<A>): void
  error(wait: Wait<A>, refusal: Refusal): PoolError
}

/** A borrow as it is described: whenever it is run, a `Borrow` comes of it. */
export abstract class Request<A, B, E, R> extends Effectable.Class<B, E | PoolError, R> {
  readonly lender: Lender<A>
  readonly timeout: number
  readonly options: UseOptions | undefined

  constructor(lender: Lender<A>, timeout: number, options: UseOptions | undefined) {
    super()
    this.lender = lender
    this.timeout = timeout
    this.options = options
  }

  /** What runs with `item`, now that `borrow` has it. */
  abstract lent(item: A, borrow: Borrow<A, B, E, R>): Effect.Effect<B, E, R>

  override asEffect(): Effect.Effect<B, E | PoolError, R> {
    return this.lender.frames.run(new Borrow(this, Fiber.getCurrent()!)) // whoever asks runs in one
  }
}

export class Borrow<A, B = unknown, E = unknown, R = unknown> extends Frame<B, E | PoolError, R> implements Kin {
  /** The lease. */
  connection: Connection<A> | undefined = undefined
  wait: Wait<A> | undefined = undefined
  revoked: Revoked["why"] | undefined = undefined
  /** Has been named as a leak. */
  leaked = false
  leases = 0
  waitingInside = 0
  kept: Kept | undefined = undefined
  context: Context.Context<never> | undefined
  /** That of its caller, also once the lease has ended before the work. */
  private readonly caller: Context.Context<never>
  private entrusted = false
  readonly request: Request<A, B, E, R>

  constructor(request: Request<A, B, E, R>, fiber: Fiber.Fiber<unknown, unknown>) {
    super(fiber)
    this.context = this.caller = fiber.context
    this.request = request
  }

  get lineage(): Lineage<Wait<A>> {
    return this.request.lender.lineage
  }

  /** As its fiber runs it again, when it has waited. */
  override asEffect(): Effect.Effect<B, E | PoolError, R> {
    const { lender } = this.request
    if (this.connection === undefined && this.wait === undefined) lender.request(this)
    if (this.connection !== undefined) return this.request.lent(this.connection.item, this)
    return this.wait!.refused ?? lender.frames.suspend(this) // what was not served waits, or was refused
  }

  /** Whatever runs inside inherits it. `provideService` would do the same at twice the cost of the whole borrow. */
  enclose(): void {
    if (this.lineage.mode !== "allow") this.fiber.setContext(Context.addUnsafe(this.fiber.context, Held.key, this))
  }

  /** From now on it is not the work's end that ends the lease, but that of a scope. */
  entrust(): void {
    this.entrusted = true
  }

  protected override end() {
    const { caller, fiber } = this
    if (fiber.context !== caller) fiber.setContext(caller)
    if (!this.entrusted) this.request.lender.release(this)
    return this.revoked === undefined ? undefined : (cause: Cause.Cause<unknown>) => Effect.fail(this.failure(cause))
  }

  /** How work on a lease that was cut fails: the driver's error says only that its connection went away. */
  private failure(cause: Cause.Cause<unknown>): PoolError {
    const { name } = this.request.lender.settings
    return new PoolError({
      reason: { _tag: "Revoked", pool: name, why: this.revoked!, cause: Cause.squash(cause) } // asked of these only
    })
  }

  holder(now: number): Holder {
    const age = Duration.millis(this.connection === undefined ? 0 : now - this.connection.leasedAt)
    return { age, label: this.request.options?.label, site: this.context && siteOf(this.context) }
  }
}

/** What a borrow becomes that is not served at once: the place in the queue, the deadline, and how its fiber is told. */
export class Wait<A> extends Waiter implements Deadline, Task {
  deadlineAt = 0
  deadlineArmed = false
  refusal: Refusal | undefined
  within: ReadonlySet<Enclosure> | undefined
  readonly kin: Borrow<A>
  /** Monotonic milliseconds. */
  readonly requestedAt: number
  refused: Effect.Effect<never, PoolError> | undefined

  constructor(kin: Borrow<A>, requestedAt: number) {
    const { options } = kin.request
    super(options?.priority ?? 0, options?.key)
    this.kin = kin
    this.requestedAt = requestedAt
  }

  onDeadline(): void {
    this.kin.request.lender.expire(this)
  }

  /** Tells the caller. Errors are made here, not when they are decided: thousands may be decided at one instant. */
  run(): void {
    const { lender } = this.kin.request
    if (this.refusal !== undefined) this.refused = Effect.fail(lender.error(this, this.refusal))
    lender.frames.resume(this.kin)
  }
}

const siteOf = (context: Context.Context<never>): string | undefined => {
  const frame = Context.get(context, References.CurrentStackFrame)
  if (frame !== undefined) return frame.name
  const span = Context.getOption(context, Tracer.ParentSpan)
  return Option.isSome(span) && span.value._tag === "Span" ? span.value.name : undefined
}
