/**
 * Who borrows inside whose borrow, so that borrows that wait for one another are told and do not hang.
 *
 * A lease travels to whatever runs inside it in the fiber's context, which the children of `timeout`, `race` and
 * `forEach` inherit; the identity of the fiber would miss them. What `get` lends has no body: it counts for its fiber
 * and for whatever runs with its scope. A child counts as its parent until the lease is returned.
 *
 * Everything is O(1), times how deep the borrows are nested.
 *
 * @internal
 */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Holder } from "../PoolError.ts"

/**
 * What becomes of a borrow inside another one of the same pool. `"deadlock"`: it fails at once when it would complete a
 * ring, that is, when every connection the pool may have is held by a borrow that waits for a further one. `"fail"`: it
 * fails whenever it would have to wait, be it for a dial. `"allow"`: only its deadline ends it.
 *
 * @since 0.1.0
 * @category models
 */
export type Nested = "deadlock" | "fail" | "allow"

/** What a borrow can wait inside of: a lease of `use`, or all leases of `get` in one scope. */
export interface Enclosure {
  /** How many connections are held by it. */
  leases: number
  /** How many borrows wait inside it. */
  waitingInside: number
  holder(now: number): Holder
}

/** A borrow. With `use` it is an enclosure itself, with `get` it belongs to that of its scope. */
export interface Kin extends Enclosure {
  /** That of its pool. */
  readonly lineage: object
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /** That of its caller; undefined once it has ended: what it left behind is nobody's child. */
  context: Context.Context<never> | undefined
  kept: Kept | undefined
}

/** A borrow that waits. */
export interface Waits {
  readonly kin: Kin
  /** What it waits inside of, the innermost first, from when it begins to wait. */
  within: ReadonlySet<Enclosure> | undefined
}

/** What a borrow runs inside of. */
export const Held: Context.Reference<Kin | "detached" | undefined> = Context.Reference<Kin | "detached" | undefined>(
  "@breakwater/core/Pool/Held",
  { defaultValue: () => undefined }
)

/** A set that has one element, as nearly always: a `Set` costs a tenth of a `get`, and two would be needed for each. */
class Some<A> {
  private one: A | undefined
  private more: Set<A> | undefined

  constructor(one: A) {
    this.one = one
  }

  add(element: A): void {
    if (element === this.one) return
    this.more = (this.more ?? new Set()).add(element)
  }

  /** Whether any are left. */
  delete(element: A): boolean {
    if (element === this.one) this.one = undefined
    else this.more?.delete(element)
    return this.one !== undefined || (this.more !== undefined && this.more.size > 0)
  }

  forEach(f: (element: A) => void): void {
    if (this.one !== undefined) f(this.one)
    this.more?.forEach(f)
  }
}

/** The leases of `get` in one scope. */
export class Kept implements Enclosure {
  leases = 0
  waitingInside = 0
  newest: Kin
  readonly scope: Scope.Scope
  readonly fibers: Some<Fiber.Fiber<unknown, unknown>>

  constructor(newest: Kin, scope: Scope.Scope) {
    this.newest = newest
    this.scope = scope
    this.fibers = new Some(newest.fiber)
  }

  holder(now: number): Holder {
    return this.newest.holder(now)
  }
}

export class Lineage<W extends Waits> {
  /** Leases that cannot come back before a borrow that waits has been served. */
  private blocked = 0
  private readonly waiting = new Set<W>()
  private readonly byScope = new Map<Scope.Scope, Kept>()
  private readonly byFiber = new Map<Fiber.Fiber<unknown, unknown>, Some<Kept>>()
  readonly mode: Nested

  constructor(mode: Nested) {
    this.mode = mode
  }

  /** Notes the beginning of a wait; false when it must not begin, and `within` says what it would have been inside of. */
  admit(wait: W, max: number): boolean {
    const within = this.enclosing(wait.kin)
    if (within === undefined) return true
    wait.within = within
    if (this.mode === "fail") return false
    this.waiting.add(wait)
    for (const enclosure of within) {
      if (++enclosure.waitingInside === 1) this.blocked += enclosure.leases
    }
    if (this.blocked < max) return true
    this.leave(wait)
    return false
  }

  /** The wait has ended. */
  leave(wait: W): void {
    if (wait.within === undefined || !this.waiting.delete(wait)) return
    for (const enclosure of wait.within) {
      if (--enclosure.waitingInside === 0) this.blocked -= enclosure.leases
    }
  }

  /** Whose wait must end, the newest first, when leases have become more or connections fewer. */
  excess(max: number): W | undefined {
    return this.blocked < max ? undefined : Array.from(this.waiting).at(-1)
  }

  /** `kin` has lost its connection: it came back, or was cut. */
  ended(kin: Kin): void {
    const { kept } = kin
    const enclosure = kept ?? kin
    enclosure.leases--
    if (enclosure.waitingInside > 0) this.blocked--
    if (kept?.leases === 0) this.drop(kept)
  }

  /** What `get` lends has no body: it counts for its fiber, and for whatever runs with `scope`. */
  keep(kin: Kin, scope: Scope.Scope): void {
    if (this.mode === "allow" || kin.leases === 0) return
    let kept = this.byScope.get(scope)
    if (kept === undefined) {
      kept = new Kept(kin, scope)
      this.byScope.set(scope, kept)
    }
    kept.newest = kin
    kin.kept = kept
    kin.leases = 0
    kept.leases++
    if (kept.waitingInside > 0) this.blocked++
    kept.fibers.add(kin.fiber)
    const ofFiber = this.byFiber.get(kin.fiber)
    if (ofFiber === undefined) this.byFiber.set(kin.fiber, new Some(kept))
    else ofFiber.add(kept)
  }

  private drop(kept: Kept): void {
    this.byScope.delete(kept.scope)
    kept.fibers.forEach((fiber) => {
      if (this.byFiber.get(fiber)?.delete(kept) === false) this.byFiber.delete(fiber)
    })
  }

  private enclosing(kin: Kin): ReadonlySet<Enclosure> | undefined {
    let outer = outerOf(kin)
    if (outer === undefined && this.byScope.size === 0) return undefined // as nearly always
    const found = new Set<Enclosure>()
    for (; outer !== undefined && outer !== "detached"; outer = outerOf(outer)) {
      if (outer.lineage === this && outer.leases > 0) found.add(outer)
    }
    if (outer !== "detached" && this.byScope.size > 0) {
      this.byFiber.get(kin.fiber)?.forEach((kept) => found.add(kept))
      const scope = kin.context && Context.getOrUndefined(kin.context, Scope.Scope)
      const kept = scope && this.byScope.get(scope)
      if (kept !== undefined) found.add(kept)
    }
    return found.size === 0 ? undefined : found
  }
}

const outerOf = ({ context }: Kin): Kin | "detached" | undefined => context && Context.get(context, Held)
