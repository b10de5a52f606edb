/** Where the connections stand, each of them from before its dial until after its close: the last to move stands last. */

export interface Slot {
  readonly id: number
  state: "opening" | "idle" | "used" | "checking" | "closing" | "between"
  until: number
  provenAt: number
  /** How many checks had failed by then. */
  provenIn: number
  isAlive: boolean
  isDoomed: boolean
  isResetting: boolean
  wasLent: boolean
  holder: number | undefined
}

const between = { state: "between", until: Infinity, provenAt: 0, provenIn: 0, holder: undefined } as const
const sound = { isAlive: true, isDoomed: false, isResetting: false, wasLent: false }

export class Slots {
  all: Array<Slot> = []
  private dials = 0

  readonly in = (...states: Array<Slot["state"]>) => this.all.filter((slot) => states.includes(slot.state))
  readonly open = () => this.in("idle", "used", "checking")
  readonly top = () => this.in("idle").at(-1)
  readonly heldBy = (borrow: number) => this.all.find((slot) => slot.holder === borrow)
  readonly add = (): Slot => ({ id: ++this.dials, ...between, ...sound })
  readonly drop = (slot: Slot) => (this.all = this.all.filter((one) => one !== slot))

  move(slot: Slot, state: Slot["state"], until: number): void {
    this.drop(slot)
    Object.assign(slot, { state, holder: undefined, until })
    this.all.push(slot)
  }
}
