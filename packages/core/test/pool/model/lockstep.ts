/** Tells the pool and the model the same, one command after the other, and says where they first differ. */
import { Effect, Exit, Scope } from "effect"
import * as Pool from "../../../src/pool/Pool.ts"
import { begunOf, Comparison, Difference, returnedOf, same, slotOf } from "./comparison.ts"
import { Model } from "./model.ts"
import * as V from "./vocabulary.ts"
import { type Borrow, Failed, type Item, type Pending, World } from "./world.ts"

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
  private readonly world: World
  private readonly model: Model
  private readonly borrows: Array<Borrow> = []
  private readonly comparison: Comparison

  constructor(settings: V.Settings) {
    this.world = new World(settings)
    this.model = new Model(settings)
    this.comparison = new Comparison(this.world, this.model, this.borrows)
    this.comparison.compare()
  }

  step(command: V.Command): void {
    this.apply(command)
    this.world.scheduler.run()
    this.comparison.compare()
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
    same("borrows that never ended", this.borrows.filter((one) => one.exit === undefined).length, 0)
    same("open at the end", this.world.open.size, 0)
    this.world.run(Scope.close(this.world.scope, Exit.void))
    this.world.scheduler.run()
    same("timers at the end", this.world.clock.sleeping, 0)
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
          model.checked(slotOf(this.model, item)!, passes)
        })
      case "end close":
        return this.pick(command, world.closes, ({ answer, item }) => {
          answer(Effect.void)
          const slot = slotOf(this.model, item)
          if (slot !== undefined) model.slots.drop(slot)
          model.supply()
        })
      case "kill":
        return this.pick(command, Array.from(world.open), (item) => this.kill(item))
      case "invalidate":
        return this.pick(command, Array.from(world.open), (item) => {
          world.run(Pool.invalidate(world.pool, item))
          model.invalidate(slotOf(this.model, item)!)
        })
      case "tick":
        world.clock.advance(command.millis, world.scheduler)
        return model.tick(command.millis)
      case "clear":
        world.run(Pool.clear(world.pool, { interrupt: command.interrupt }))
        return model.clear(command.interrupt)
      case "pause":
        world.run(Pool.pause(world.pool))
        return model.pause()
      case "resume":
        world.run(Pool.resume(world.pool))
        return model.resume()
      case "resize":
        world.run(Pool.resize(world.pool, command))
        return model.resize(command)
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
    if (isOver) same("interrupted, and ended", borrow.exit !== undefined, true)
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
    else same("done, and parked", borrow.parking?.isParked, true)
  }

  private answerDial({ answer, item }: Pending<Item>, how: "accepts" | "refuses" | "accepts a corpse"): void {
    const slot = slotOf(this.model, item)!
    if (how === "accepts a corpse") {
      item.alive = false
      item.isCorpse = true
    }
    answer(how === "refuses" ? Effect.fail(new Failed()) : Effect.succeed(item))
    if (slot.state === "opening") {
      if (how === "accepts") return this.model.opened(slot)
      this.model.slots.drop(slot)
      return this.model.dialFailed()
    }
    if (how === "accepts") slot.until = this.model.now + V.CLOSE_TIMEOUT
    else this.model.slots.drop(slot)
    this.model.supply()
  }

  private kill(item: Item): void {
    item.alive = false
    const slot = slotOf(this.model, item)
    if (slot !== undefined) slot.isAlive = false
  }

  private readonly parked = () => this.borrows.filter((one) => one.parking?.isParked)
  private readonly working = () => this.borrows.filter((one) => one.exit === undefined && one.work !== undefined)

  private pick<A>(command: { readonly nth: number }, from: ReadonlyArray<A>, act: (one: A) => void): void {
    if (from.length > 0) act(from[command.nth % from.length]!)
  }
}
