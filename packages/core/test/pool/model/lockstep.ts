/** Tells the pool and the model the same, one command after the other, and says where they first differ. */
import { Cause, Effect, Exit, Option } from "effect"
import * as Pool from "../../../src/pool/Pool.ts"
import { isPoolError } from "../../../src/pool/PoolError.ts"
import { Model } from "./model.ts"
import type { Slot } from "./slot.ts"
import * as V from "./vocabulary.ts"
import { type Borrow, Failed, type Item, type Pending, World } from "./world.ts"

const endingOf: Record<string, V.Ending> = {
  AcquireTimeout: "timedOut",
  QueueFull: "refused",
  Unavailable: "unavailable",
  Closed: "refusedClosed",
  Revoked: "revoked"
}

class Difference extends Error {}

/** The first difference, or undefined where there is none. */
export const run = (settings: V.Settings, commands: ReadonlyArray<V.Command>): string | undefined => {
  let at = "the start"
  try {
    const lockstep = new Lockstep(settings)
    for (const command of commands) {
      at = JSON.stringify(command)
      lockstep.step(command)
    }
    at = "the end"
    lockstep.finish()
  } catch (error) {
    return `${at}: ${
      error instanceof Difference ? error.message : error instanceof Error ? error.stack : String(error)
    }`
  }
  return undefined
}

class Lockstep {
  private readonly settings: V.Settings
  private readonly world: World
  private readonly model: Model
  private readonly borrows: Array<Borrow> = []

  constructor(settings: V.Settings) {
    this.settings = settings
    this.world = new World(settings)
    this.model = new Model(settings)
    this.compare()
  }

  step(command: V.Command): void {
    this.apply(command)
    this.world.scheduler.run()
    this.compare()
  }

  /** Everybody goes home, and nothing may be left. */
  finish(): void {
    this.step({ _tag: "drain", deadline: 1000 })
    this.step({ _tag: "tick", millis: 1000 })
    while (this.parked().length > 0) this.step({ _tag: "go on", nth: 0 })
    while (this.working().length > 0) {
      this.step({ _tag: "return", nth: 0, how: "succeeds" })
      while (this.parked().length > 0) this.step({ _tag: "go on", nth: 0 })
    }
    while (this.world.dials.length > 0) this.step({ _tag: "answer dial", nth: 0, how: "refuses" })
    while (this.world.closes.length > 0) this.step({ _tag: "end close", nth: 0 })
    this.same("borrows that never ended", this.borrows.filter((one) => one.exit === undefined).length, 0)
    this.same("open at the end", this.world.open.size, 0)
    this.same("timers at the end", this.world.clock.sleeping, 0)
  }

  private apply(command: V.Command): void {
    const { model, world } = this
    switch (command._tag) {
      case "borrow":
        return this.borrow(command)
      case "go on":
        return this.pick(command, this.parked(), (borrow) => this.moving(borrow, () => borrow.parking!.goOn()))
      case "cancel":
        return this.pick(command, this.borrows.filter((one) => one.exit === undefined), (borrow) => {
          borrow.interrupted = true
          this.moving(borrow, () => borrow.fiber!.interruptUnsafe())
        })
      case "return":
        return this.pick(command, this.working(), (borrow) => this.giveBack(borrow, command.how))
      case "answer dial":
        return this.pick(command, world.dials, (dial) => this.answerDial(dial, command.how))
      case "answer check":
        return this.pick(command, world.checks, ({ answer, item }) => {
          const passes = command.how === "passes"
          answer(passes ? Effect.void : Effect.fail(new Failed()))
          model.checked(this.slot(item)!, passes)
        })
      case "end close":
        return this.pick(command, world.closes, ({ answer, item }) => {
          answer(Effect.void)
          const slot = this.slot(item)
          if (slot !== undefined) model.drop(slot)
          model.supply()
        })
      case "kill":
        return this.pick(command, Array.from(world.open), (item) => this.kill(item))
      case "invalidate":
        return this.pick(command, Array.from(world.open), (item) => {
          world.run(Pool.invalidate(world.pool, item))
          model.invalidate(this.slot(item)!)
        })
      case "tick":
        world.clock.advance(command.millis, world.scheduler)
        return model.tick(command.millis)
      case "clear":
        world.run(Pool.clear(world.pool, { interrupt: command.interrupt }))
        return model.clear(command.interrupt)
      case "drain":
        world.run(Pool.drain(world.pool, command.deadline))
        model.drain(command.deadline)
        return this.apply({ _tag: "tick", millis: 0 })
    }
  }

  private borrow(command: Extract<V.Command, { _tag: "borrow" }>): void {
    const request = { id: this.borrows.length, priority: command.priority, key: command.key, timeout: command.timeout }
    const before = this.world.stats()
    const borrow = this.world.borrow(request, command.via, command.parkAt)
    this.borrows.push(borrow)
    this.moved(borrow, before)
  }

  private moving(borrow: Borrow, move: () => void): void {
    const before = this.world.stats()
    move()
    this.world.scheduler.run()
    this.moved(borrow, before)
  }

  /** Tells the model what a borrow did: of one that is parked the numbers must say how far it came, of others we know. */
  private moved(borrow: Borrow, before: Pool.Stats): void {
    const { model } = this
    const { id } = borrow.request
    const after = this.world.stats()
    const isParked = borrow.parking?.isParked === true
    if (!borrow.begun && after.closed > before.closed) model.look()
    if (!borrow.begun && (begunOf(after) > begunOf(before) || !isParked && !borrow.interrupted)) {
      borrow.begun = true
      model.begin(borrow.request)
    }
    const isOver = !isParked && borrow.interrupted
    if (isOver) this.same("interrupted, and ended", borrow.exit !== undefined, true)
    const waits = model.line.waiting.some((one) => one.id === id)
    if (waits && (isOver || after.cancelled > before.cancelled)) model.leave(id, "cancelled")
    if (isOver || returnedOf(after) > returnedOf(before)) model.release(id)
  }

  private giveBack(borrow: Borrow, how: "succeeds" | "fails" | "dies"): void {
    const { answer, item } = borrow.work!
    if (how === "dies") this.kill(item)
    const works = how === "succeeds" && this.world.open.has(item)
    this.moving(borrow, () => answer(works ? Effect.void : Effect.fail(new Failed())))
    if (borrow.exit !== undefined) this.model.release(borrow.request.id)
    else this.same("done, and parked", borrow.parking?.isParked, true)
  }

  private answerDial({ answer, item }: Pending<Item>, how: "accepts" | "refuses" | "accepts a corpse"): void {
    const slot = this.slot(item)!
    if (how === "accepts a corpse") {
      item.alive = false
      item.isCorpse = true
    }
    answer(how === "refuses" ? Effect.fail(new Failed()) : Effect.succeed(item))
    if (slot.state === "opening") {
      if (how === "accepts") return this.model.opened(slot)
      this.model.drop(slot)
      return this.model.dialFailed()
    }
    if (how === "accepts") slot.until = this.model.now + V.CLOSE_TIMEOUT
    else this.model.drop(slot)
    this.model.supply()
  }

  private kill(item: Item): void {
    item.alive = false
    const slot = this.slot(item)
    if (slot !== undefined) slot.isAlive = false
  }

  private slot(item: Item): Slot | undefined {
    return this.model.slots.find((slot) => slot.id === item.id)
  }

  private readonly parked = () => this.borrows.filter((one) => one.parking?.isParked)
  private readonly working = () => this.borrows.filter((one) => one.exit === undefined && one.work !== undefined)

  private pick<A>(
    command: { readonly nth: number },
    from: ReadonlyArray<A>,
    act: (one: A, index: number) => void
  ): void {
    const index = command.nth % from.length
    if (from.length > 0) act(from[index]!, index)
  }

  // ---- what must hold after every step

  private compare(): void {
    const stats = this.world.stats()
    this.compareSizes(stats)
    this.compareCounts(stats)
    for (const borrow of this.borrows) this.compareBorrow(borrow)
  }

  private compareSizes(stats: Pool.Stats): void {
    const { model, world } = this
    const { checking, closing, idle, opening, used, waiting } = stats
    const total = idle + used + opening + checking + closing
    if (total > this.settings.max) this.same("connections within max", total, this.settings.max)
    for (const state of ["idle", "used", "opening", "checking"] as const) {
      this.same(state, stats[state], model.in(state).length)
    }
    this.same("waiting", waiting, model.line.waiting.length)
    this.same("open at the server", world.open.size, idle + used + checking)
    this.same("dials at the server", this.count(world.dials, "opening"), opening)
    if (this.settings.tested) this.same("checks at the server", world.checks.length, checking)
    // Whoever drained has stopped to count then.
    if (world.events["Drained"] === undefined) {
      this.same("closing", closing, model.in("closing").length)
      const closes = this.count(world.closes, "closing") + this.count(world.dials, "closing")
      this.same("closes at the server", closes, closing)
    }
  }

  private count(pending: ReadonlyArray<Pending<never>>, state: Slot["state"]): number {
    return pending.filter(({ item }) => this.slot(item)?.state === state).length
  }

  private compareCounts(stats: Pool.Stats): void {
    const { counts, ended } = this.model
    const events = this.world.events
    const endings = { timedOut: 0, refused: 0, cancelled: 0, unavailable: 0, refusedClosed: 0, revoked: 0, returned: 0 }
    for (const ending of ended.values()) endings[ending]++
    for (const [name, count] of Object.entries({ ...counts, ...endings, returned: undefined })) {
      // Both are made of names of `Stats`; `returned` is left out.
      if (count !== undefined) this.same(name, stats[name as keyof Pool.Stats], count)
    }
    for (const [event, name] of Object.entries(countedBy)) {
      this.same(`${event} events`, events[event] ?? 0, stats[name])
    }
    this.same("Returned events", events["Returned"] ?? 0, returnedOf(stats))
    this.same("borrows begun", begunOf(stats), this.borrows.filter((one) => one.begun).length)
  }

  private compareBorrow(borrow: Borrow): void {
    const { id } = borrow.request
    const ending = this.model.ended.get(id)
    if (borrow.exit === undefined) {
      if (borrow.work === undefined || ending === "revoked") return
      return this.same(`the connection of borrow ${id}`, borrow.work.item.id, this.model.slotOf(id)?.id)
    }
    const actual = this.endingOf(borrow)
    if (borrow.interrupted && (actual === "interrupted" || ending === undefined)) return
    // `get` cannot know how the work went; and work that was over before the cut stays as it was.
    const mayReturn = ending === "revoked" && (borrow.via === "get" || borrow.parking !== undefined)
    this.same(`the end of borrow ${id}`, mayReturn && actual === "returned" ? "revoked" : actual, ending)
  }

  private endingOf(borrow: Borrow): V.Ending | "interrupted" | undefined {
    const exit = borrow.exit!
    if (Exit.isSuccess(exit)) return "returned"
    if (Exit.hasInterrupts(exit)) return "interrupted"
    const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    return isPoolError(error) ? endingOf[error.reason._tag] : error instanceof Failed ? "returned" : undefined
  }

  private same(what: string, actual: Value, expected: Value): void {
    if (actual !== expected) throw new Difference(`${what}: the pool has ${actual}, the model ${expected}`)
  }
}

type Value = number | string | boolean | undefined

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

const begunOf = ({ acquired, cancelled, refused, refusedClosed, timedOut, unavailable, waiting }: Pool.Stats): number =>
  acquired + cancelled + refused + refusedClosed + timedOut + unavailable + waiting

const returnedOf = ({ acquired, revoked, used }: Pool.Stats): number => acquired - revoked - used
