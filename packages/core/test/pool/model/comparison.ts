/** What must hold after every step: the pool says what the model says, the server sees it, and the events tell it. */
import { Cause, Exit, Option } from "effect"
import type * as Pool from "../../../src/pool/Pool.ts"
import { isPoolError } from "../../../src/pool/PoolError.ts"
import type { Model } from "./model.ts"
import type { Slot } from "./slots.ts"
import type * as V from "./vocabulary.ts"
import { type Borrow, Failed, type Item, type Pending, type World } from "./world.ts"

export class Difference extends Error {}

type Value = number | string | boolean | undefined

export const same = (what: string, actual: Value, expected: Value): void => {
  if (actual !== expected) throw new Difference(`${what}: the pool has ${actual}, the model ${expected}`)
}

export const slotOf = (model: Model, item: Item): Slot | undefined =>
  model.slots.all.find((slot) => slot.id === item.id)

export class Comparison {
  private readonly world: World
  private readonly model: Model
  private readonly borrows: ReadonlyArray<Borrow>
  private total = 0

  constructor(world: World, model: Model, borrows: ReadonlyArray<Borrow>) {
    this.world = world
    this.model = model
    this.borrows = borrows
  }

  compare(): void {
    const stats = this.world.stats()
    this.compareSizes(stats)
    this.compareCounts(stats)
    for (const borrow of this.borrows) this.compareBorrow(borrow)
  }

  private compareSizes(stats: Pool.Stats): void {
    const { model, world } = this
    const { checking, closing, idle, opening, used, waiting } = stats
    const total = idle + used + opening + checking + closing
    // After a resize there may be more, but not one is added.
    const most = Math.max(this.total, model.size.max)
    if (total > most) same("connections within max", total, most)
    this.total = total
    for (const state of ["idle", "used", "opening", "checking"] as const) {
      same(state, stats[state], model.slots.in(state).length)
    }
    for (const bound of ["min", "max", "keep"] as const) same(bound, stats[bound], model.size[bound])
    same("waiting", waiting, model.line.waiting.length)
    same("open at the server", world.open.size, idle + used + checking)
    same("dials at the server", this.count(world.dials, "opening"), opening)
    same("checks at the server", world.checks.length, checking)
    // Whoever drained has stopped to count then.
    if (world.events["Drained"] === undefined) {
      same("closing", closing, model.slots.in("closing").length)
      const closes = this.count(world.closes, "closing") + this.count(world.dials, "closing")
      same("closes at the server", closes, closing)
    }
  }

  private count(pending: ReadonlyArray<Pending<never>>, state: Slot["state"]): number {
    return pending.filter(({ item }) => slotOf(this.model, item)?.state === state).length
  }

  private compareCounts(stats: Pool.Stats): void {
    const { counts, ended } = this.model
    const events = this.world.events
    const endings = { timedOut: 0, refused: 0, cancelled: 0, unavailable: 0, refusedClosed: 0, revoked: 0, returned: 0 }
    for (const ending of ended.values()) endings[ending]++
    for (const [name, count] of Object.entries({ ...counts, ...endings, returned: undefined })) {
      // Both are made of names of `Stats`; `returned` is left out.
      if (count !== undefined) same(name, stats[name as keyof Pool.Stats], count)
    }
    for (const [event, name] of Object.entries(countedBy)) {
      same(`${event} events`, events[event] ?? 0, stats[name])
    }
    same("Returned events", events["Returned"] ?? 0, returnedOf(stats))
    same("borrows begun", begunOf(stats), this.borrows.filter((one) => one.begun).length)
  }

  private compareBorrow(borrow: Borrow): void {
    const { id } = borrow.request
    const ending = this.model.ended.get(id)
    if (borrow.exit === undefined) {
      if (borrow.work === undefined || ending === "revoked") return
      return same(`the connection of borrow ${id}`, borrow.work.item.id, this.model.slots.heldBy(id)?.id)
    }
    const actual = howItEnded(borrow)
    if (borrow.interrupted && (actual === "interrupted" || ending === undefined)) return
    // `get` cannot know how the work went; and work that was over before the cut stays as it was.
    const mayReturn = ending === "revoked" && (borrow.via === "get" || borrow.parking !== undefined)
    same(`the end of borrow ${id}`, mayReturn && actual === "returned" ? "revoked" : actual, ending)
  }
}

const endingOf: Record<string, V.Ending> = {
  AcquireTimeout: "timedOut",
  QueueFull: "refused",
  Unavailable: "unavailable",
  Closed: "refusedClosed",
  Revoked: "revoked"
}

const howItEnded = (borrow: Borrow): V.Ending | "interrupted" | undefined => {
  const exit = borrow.exit!
  if (Exit.isSuccess(exit)) return "returned"
  if (Exit.hasInterrupts(exit)) return "interrupted"
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  return isPoolError(error) ? endingOf[error.reason._tag] : error instanceof Failed ? "returned" : undefined
}

const countedBy = {
  Dialed: "opened",
  Closed: "closed",
  Acquired: "acquired",
  Reused: "reused",
  Revoked: "revoked",
  TimedOut: "timedOut",
  Refused: "refused",
  Cancelled: "cancelled",
  Unavailable: "unavailable",
  ClosedRefused: "refusedClosed"
} as const

export const begunOf = (stats: Pool.Stats): number =>
  stats.acquired + stats.waiting + stats.cancelled + stats.timedOut + stats.refused + stats.unavailable +
  stats.refusedClosed + stats.shed + stats.nested

export const returnedOf = ({ acquired, revoked, used }: Pool.Stats): number => acquired - revoked - used
