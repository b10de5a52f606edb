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
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import type { Deadline } from "../../internal/deadlines.ts"
import type { Taking } from "../../internal/onExitNow.ts"
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
  readonly lineage: Lineage<Wait<A>>
  /** Lends, refuses or queues. */
  request(borrow: Borrow<A>): void
  release(borrow: Borrow<A>): void
  expire(wait: Wait<A>): void
  error(wait: Wait<A>, refusal: Refusal): PoolError
}

export class Borrow<A, B = unknown, E = unknown, R = unknown> extends Effectable.Class<B, E | PoolError, R>
  implements Kin, Taking<B, E | PoolError, R, PoolError>
{
  /** The lease. */
  connection: Connection<A> | undefined
  wait: Wait<A> | undefined
  revoked: Revoked["why"] | undefined
  /** Has been named as a leak. */
  leaked = false
  leases = 0
  waitingInside = 0
  kept: Kept | undefined
  context: Context.Context<never> | undefined
  private readonly caller: Context.Context<never>
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly timeout: number
  readonly options: UseOptions | undefined
  readonly lender: Lender<A>
  private readonly work: (item: A) => Effect.Effect<B, E, R>
  /** Whether the lease ends with `work`. */
  private readonly enclosing: boolean

  constructor(
    lender: Lender<A>,
    fiber: Fiber.Fiber<unknown, unknown>,
    timeout: number,
    options: UseOptions | undefined,
    work: (item: A) => Effect.Effect<B, E, R>,
    enclosing: boolean
  ) {
    super()
    this.connection = undefined
    this.wait = undefined
    this.revoked = undefined
    this.kept = undefined
    this.lender = lender
    this.fiber = fiber
    this.context = this.caller = fiber.context
    this.timeout = timeout
    this.options = options
    this.work = work
    this.enclosing = enclosing
  }

  get lineage(): Lineage<Wait<A>> {
    return this.lender.lineage
  }

  /** As its fiber runs it again, when it has waited. */
  override asEffect(): Effect.Effect<B, E | PoolError, R> {
    return this.begin()
  }

  begin(): Effect.Effect<B, E | PoolError, R> {
    if (this.connection === undefined) this.lender.request(this)
    if (this.connection !== undefined) return this.lend(this.connection.item)
    const wait = this.wait! // what was not served waits, or was refused
    return wait.refused ??
      Effect.callback((resume) => wait.onTold((refused) => resume(refused ?? this)))
  }

  private lend(item: A): Effect.Effect<B, E | PoolError, R> {
    if (!this.enclosing) return this.work(item)
    // Whatever runs inside inherits it. `provideService` would do the same at twice the cost of the whole borrow.
    if (this.lineage.mode !== "allow") this.fiber.setContext(Context.addUnsafe(this.fiber.context, Held.key, this))
    return this.work(item)
  }

  /** Ends the borrow of `use`; gives what work on a lease that was cut fails with: its driver knows only that the connection went away. */
  leave(exit: Exit.Exit<unknown, unknown>): Effect.Effect<never, PoolError> | undefined {
    if (this.enclosing) this.fiber.setContext(this.caller)
    else if (exit._tag === "Success") return undefined // it ends with the scope
    this.lender.release(this)
    return this.revoked === undefined || exit._tag === "Success" ? undefined : Effect.fail(
      new PoolError({
        reason: {
          _tag: "Revoked",
          pool: this.lender.settings.name,
          why: this.revoked,
          cause: Cause.squash(exit.cause)
        }
      })
    )
  }

  holder(now: number): Holder {
    const age = Duration.millis(this.connection === undefined ? 0 : now - this.connection.leasedAt)
    return { age, label: this.options?.label, site: this.context && siteOf(this.context) }
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
  private told = false
  private resume: ((refused: Effect.Effect<never, PoolError> | undefined) => void) | undefined

  constructor(kin: Borrow<A>, requestedAt: number) {
    super(kin.options?.priority ?? 0, kin.options?.key)
    this.kin = kin
    this.requestedAt = requestedAt
  }

  onDeadline(): void {
    this.kin.lender.expire(this)
  }

  /** Tells the caller. Errors are made here, not when they are decided: thousands may be decided at one instant. */
  run(): void {
    this.told = true
    if (this.refusal !== undefined) this.refused = Effect.fail(this.kin.lender.error(this, this.refusal))
    this.resume?.(this.refused)
  }

  /** It may have been told already: the scheduler may yield between the request and this. */
  onTold(resume: (refused: Effect.Effect<never, PoolError> | undefined) => void): void {
    if (this.told) resume(this.refused)
    else this.resume = resume
  }
}

const siteOf = (context: Context.Context<never>): string | undefined => {
  const frame = Context.get(context, References.CurrentStackFrame)
  if (frame !== undefined) return frame.name
  const span = Context.getOption(context, Tracer.ParentSpan)
  return Option.isSome(span) && span.value._tag === "Span" ? span.value.name : undefined
}
