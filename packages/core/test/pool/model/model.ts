/**
 * What the pool should do, written naively: lists, scans, and one change after the other. Dials, checks and closes end
 * when the test says so, or when their time is over.
 */
import { Line } from "./line.ts"
import { Slot } from "./slot.ts"
import * as V from "./vocabulary.ts"

export class Model {
  now = 0
  slots: Array<Slot> = []
  readonly line = new Line()
  readonly ended = new Map<number, V.Ending>()
  readonly counts = { opened: 0, closed: 0, acquired: 0, reused: 0 }
  private dials = 0
  private isOpen = true
  private failedChecks = 0
  private failedDials = 0
  private isDown = false
  private window = 1
  private holdOff = Infinity
  private cutAt = Infinity
  private floor: number
  private readonly settings: V.Settings

  constructor(settings: V.Settings) {
    this.settings = settings
    this.floor = settings.lazy ? 0 : settings.min
    this.supply()
  }

  readonly in = (...states: Array<Slot["state"]>) => this.slots.filter((slot) => states.includes(slot.state))
  readonly open = () => this.in("idle", "used", "checking")
  readonly slotOf = (id: number) => this.slots.find((slot) => slot.holder === id)

  /** Whoever looks for a connection closes the dead ones it meets. */
  look(): Slot | undefined {
    if (!this.isOpen || this.line.waiting.length > 0) return undefined
    while (this.top()?.isAlive === false) this.close(this.top()!)
    this.supply()
    return this.top()
  }

  begin(request: V.Request): void {
    const top = this.look()
    if (top !== undefined && !this.isStale(top)) return this.lend(top, request)
    this.floor = this.settings.min
    if (!this.isOpen) this.ended.set(request.id, "refusedClosed")
    else if (this.isDown && this.settings.failFast) this.ended.set(request.id, "unavailable")
    else if (this.line.waiting.length >= this.settings.maxWaiting) this.ended.set(request.id, "refused")
    else this.line.join(request, this.now + request.timeout)
    this.supply()
  }

  leave(id: number, ending: V.Ending): void {
    this.line.leave(id)
    this.ended.set(id, ending)
  }

  release(id: number): void {
    const slot = this.slotOf(id)
    if (slot === undefined) return // it was cut
    this.ended.set(id, "returned")
    this.place(slot)
  }

  invalidate(slot: Slot): void {
    slot.isDoomed = true
    if (slot.state === "idle") this.close(slot)
    this.supply()
  }

  opened(slot: Slot): void {
    this.failedDials = 0
    this.isDown = false
    this.window = Math.min(this.settings.concurrency, this.window + 1)
    this.counts.opened++
    this.place(slot)
  }

  dialFailed(): void {
    this.failedDials++
    this.window = 1
    this.holdOff = this.now + V.BACKOFF
    this.isDown ||= this.failedDials >= 3 && this.open().length === 0
    if (this.isDown && this.settings.failFast) this.line.waiting.forEach((one) => this.leave(one.id, "unavailable"))
    this.supply()
  }

  checked(slot: Slot, passed: boolean): void {
    if (!passed) this.failedChecks++
    slot.isDoomed ||= !passed
    this.place(slot)
  }

  clear(interrupt: boolean): void {
    this.in("opening").forEach(this.forsake)
    this.in("used").forEach((slot) => (slot.isDoomed = true))
    this.in("idle", "checking").forEach(this.close)
    if (interrupt) this.in("used").forEach(this.cut)
    this.supply()
  }

  drain(deadline: number): void {
    this.cutAt = Math.min(this.cutAt, this.now + deadline)
    this.isOpen = false
    this.line.waiting.forEach((one) => this.leave(one.id, "refusedClosed"))
    this.clear(false)
  }

  tick(millis: number): void {
    const due = Math.min(this.holdOff, this.cutAt, ...[...this.slots, ...this.line.waiting].map((one) => one.until))
    const left = this.now + millis - Math.max(this.now, due)
    this.now += left < 0 ? millis : millis - left
    if (left < 0) return
    if (this.holdOff <= this.now) this.holdOff = Infinity
    if (this.cutAt <= this.now) this.in("used").forEach(this.cut)
    if (this.cutAt <= this.now) this.cutAt = Infinity
    for (const one of this.line.waiting.filter(({ until }) => until <= this.now)) this.leave(one.id, "timedOut")
    for (const slot of this.slots.filter(({ until }) => until <= this.now)) {
      if (slot.state === "opening") this.late(slot)
      else if (slot.state === "checking") this.checked(slot, false)
      else this.drop(slot)
    }
    this.supply()
    this.tick(left)
  }

  /** Checks what waiters need checked and what is suspect; dials what is missing and may be dialled. */
  supply(): void {
    for (let top = this.top(); this.isOpen && top !== undefined; top = this.top()) {
      if (!this.isSuspect(top) && this.in("checking").length >= this.line.waiting.length) break
      if (top.isAlive) this.move(top, "checking", V.CHECK_TIMEOUT)
      else this.close(top)
    }
    const unserved = this.line.waiting.length - this.in("checking").length
    const want = Math.max(unserved, this.floor - this.open().length, this.isDown ? 1 : 0)
    const most = this.isOpen && this.holdOff === Infinity ? Math.min(want, this.window) : 0
    while (this.in("opening").length < most && this.slots.length < this.settings.max) {
      this.move(new Slot(++this.dials), "opening", V.DIAL_TIMEOUT)
    }
  }

  private lend(slot: Slot, request: V.Request): void {
    this.line.served(request)
    this.move(slot, "used")
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
    if (!slot.isAlive || slot.isDoomed || !this.isOpen) this.close(slot)
    else if (next !== undefined) this.lend(slot, next)
    else if (this.open().length < this.settings.keep) this.move(slot, "idle")
    else this.close(slot)
    this.supply()
  }

  readonly drop = (slot: Slot) => (this.slots = this.slots.filter((one) => one !== slot))
  private readonly top = () => this.in("idle").at(-1)
  private readonly isSuspect = (slot: Slot) => this.settings.tested && slot.provenIn < this.failedChecks
  private readonly isStale = (slot: Slot) =>
    this.isSuspect(slot) || this.settings.tested && this.now - slot.provenAt > V.SKIP_WITHIN

  /** A dial that cannot be stopped holds its slot until it ends. */
  private readonly forsake = (slot: Slot) => (this.settings.stubborn ? this.move(slot, "closing") : this.drop(slot))

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

  private readonly move = (slot: Slot, state: Slot["state"], time = Infinity) => {
    this.drop(slot)
    Object.assign(slot, { state, holder: undefined, until: this.now + time })
    this.slots.push(slot)
  }
}
