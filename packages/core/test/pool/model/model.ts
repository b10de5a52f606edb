/**
 * What the pool should do, written naively: lists, scans, and one change after the other. Dials, checks and closes end
 * when the test says so, or when their time is over.
 */
import { Dialling } from "./dialling.ts"
import { Line } from "./line.ts"
import { type Slot, Slots } from "./slots.ts"
import * as V from "./vocabulary.ts"

export class Model {
  now = 0
  readonly slots = new Slots()
  readonly line = new Line()
  readonly dialling = new Dialling()
  readonly ended = new Map<number, V.Ending>()
  readonly counts = { opened: 0, closed: 0, acquired: 0, reused: 0 }
  private isOpen = true
  private failedChecks = 0
  private cutAt = Infinity
  private isFilling: boolean
  size: V.Size
  private readonly settings: V.Settings

  constructor(settings: V.Settings) {
    this.settings = settings
    this.size = settings
    this.isFilling = !settings.lazy
    this.supply()
  }

  /** Whoever looks for a connection closes the dead ones it meets. */
  look(): Slot | undefined {
    if (!this.isOpen || this.line.waiting.length > 0) return undefined
    while (this.slots.top()?.isAlive === false) this.close(this.slots.top()!)
    this.supply()
    return this.slots.top()
  }

  begin(request: V.Request): void {
    const top = this.look()
    if (top !== undefined && !this.isStale(top)) return this.lend(top, request)
    this.isFilling = true
    if (!this.isOpen) this.ended.set(request.id, "refusedClosed")
    else if (this.isDown()) this.ended.set(request.id, "unavailable")
    else if (this.line.waiting.length >= this.settings.maxWaiting) this.ended.set(request.id, "refused")
    else this.line.join(request, this.now + request.timeout)
    this.supply()
  }

  leave(id: number, ending: V.Ending): void {
    this.line.leave(id)
    this.ended.set(id, ending)
  }

  release(id: number): void {
    const slot = this.slots.heldBy(id)
    if (slot === undefined) return // it was cut
    this.ended.set(id, "returned")
    slot.isResetting = this.settings.resets && this.isFit(slot)
    if (slot.isResetting) this.move(slot, "checking", V.CHECK_TIMEOUT)
    else this.place(slot)
    this.supply()
  }

  invalidate(slot: Slot): void {
    slot.isDoomed = true
    if (slot.state === "idle") this.close(slot)
    this.supply()
  }

  opened(slot: Slot): void {
    this.dialling.succeeds(this.settings.concurrency)
    this.counts.opened++
    this.place(slot)
  }

  dialFailed(): void {
    this.dialling.fails(this.now, this.slots.open().length)
    if (this.isDown()) this.line.waiting.forEach((one) => this.leave(one.id, "unavailable"))
    this.supply()
  }

  checked(slot: Slot, passed: boolean): void {
    if (!passed && !slot.isResetting) this.failedChecks++
    slot.isDoomed ||= !passed
    slot.isResetting = false
    this.place(slot)
  }

  clear(interrupt: boolean): void {
    this.slots.in("opening").forEach(this.forsake)
    this.slots.in("used").forEach((slot) => (slot.isDoomed = true))
    this.slots.in("idle", "checking").forEach(this.close)
    if (interrupt) this.slots.in("used").forEach(this.cut)
    this.supply()
  }

  pause(): void {
    if (!this.isOpen || this.dialling.isPaused) return
    this.dialling.isPaused = true
    this.dialling.holdOff = Infinity
    this.dialling.reset(1)
    this.clear(false)
  }

  resume(): void {
    this.dialling.isPaused = false
    this.supply()
  }

  resize(size: V.Size): void {
    this.size = size
    for (const slot of this.slots.in("idle")) if (this.slots.open().length > size.keep) this.close(slot)
    this.supply()
  }

  drain(deadline: number): void {
    this.cutAt = Math.min(this.cutAt, this.now + deadline)
    this.isOpen = false
    this.line.waiting.forEach((one) => this.leave(one.id, "refusedClosed"))
    this.clear(false)
  }

  tick(millis: number): void {
    const due = Math.min(
      this.dialling.holdOff,
      this.cutAt,
      ...[...this.slots.all, ...this.line.waiting].map((one) => one.until)
    )
    const left = this.now + millis - Math.max(this.now, due)
    this.now += left < 0 ? millis : millis - left
    if (left < 0) return
    if (this.dialling.holdOff <= this.now) this.dialling.holdOff = Infinity
    if (this.cutAt <= this.now) this.slots.in("used").forEach(this.cut)
    if (this.cutAt <= this.now) this.cutAt = Infinity
    for (const one of this.line.waiting.filter(({ until }) => until <= this.now)) this.leave(one.id, "timedOut")
    for (const slot of this.slots.all.filter(({ until }) => until <= this.now)) {
      if (slot.state === "opening") this.late(slot)
      else if (slot.state === "checking") this.checked(slot, false)
      else if (slot.state === "used") this.cut(slot)
      else this.slots.drop(slot)
    }
    this.supply()
    this.tick(left)
  }

  /** Checks what waiters need checked and what is suspect; dials what is missing and may be dialled. */
  supply(): void {
    for (let top = this.slots.top(); this.isOpen && top !== undefined; top = this.slots.top()) {
      if (!this.isSuspect(top) && this.slots.in("checking").length >= this.line.waiting.length) break
      if (top.isAlive) this.move(top, "checking", V.CHECK_TIMEOUT)
      else this.close(top)
    }
    const unserved = this.line.waiting.length - this.slots.in("checking").length
    const missing = this.isFilling ? this.size.min - this.slots.open().length : 0
    const want = Math.max(unserved, missing, this.dialling.isDown ? 1 : 0)
    const most = this.isOpen ? Math.min(want, this.dialling.most(this.settings.concurrency)) : 0
    while (this.slots.in("opening").length < most && this.slots.all.length < this.size.max) {
      this.move(this.slots.add(), "opening", V.DIAL_TIMEOUT)
    }
  }

  private lend(slot: Slot, request: V.Request): void {
    this.line.served(request)
    this.move(slot, "used", this.settings.maxHold)
    slot.holder = request.id
    this.counts.acquired++
    if (slot.wasLent) this.counts.reused++
    slot.wasLent = true
  }

  /** Closes what is unfit; gives the rest to whose turn it is, or keeps it. */
  private place(slot: Slot): void {
    this.move(slot, "between")
    slot.provenAt = this.now
    slot.provenIn = this.failedChecks
    const next = this.line.next()
    const isOneTooMany = this.slots.open().length + this.slots.in("opening").length >= this.size.max
    if (!this.isFit(slot) || isOneTooMany) this.close(slot)
    else if (next !== undefined) this.lend(slot, next)
    else if (this.slots.open().length < this.size.keep) this.move(slot, "idle")
    else this.close(slot)
    this.supply()
  }

  private readonly isFit = (slot: Slot) => slot.isAlive && !slot.isDoomed && this.isOpen
  private readonly isDown = () => this.dialling.isDown && this.settings.failFast
  private readonly isSuspect = (slot: Slot) => this.settings.tested && slot.provenIn < this.failedChecks
  private readonly isStale = (slot: Slot) =>
    this.isSuspect(slot) || this.settings.tested && this.now - slot.provenAt > V.SKIP_WITHIN

  /** A dial that cannot be stopped holds its slot until it ends. */
  private readonly forsake = (
    slot: Slot
  ) => (this.settings.stubborn ? this.move(slot, "closing") : this.slots.drop(slot))

  private readonly late = (slot: Slot) => {
    this.forsake(slot)
    this.dialFailed()
  }

  private readonly cut = (slot: Slot) => {
    this.ended.set(slot.holder!, "revoked")
    this.close(slot)
  }

  private readonly close = (slot: Slot) => {
    this.counts.closed++
    this.move(slot, "closing", V.CLOSE_TIMEOUT)
  }

  private readonly move = (slot: Slot, state: Slot["state"], time = Infinity) =>
    this.slots.move(slot, state, this.now + time)
}
