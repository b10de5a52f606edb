/** A connection, from before its dial until after its close. */
export class Slot {
  readonly id: number
  state: "opening" | "idle" | "used" | "checking" | "closing" | "between" = "opening"
  until = Infinity
  provenAt = 0
  /** How many checks had failed by then. */
  provenIn = 0
  isAlive = true
  isDoomed = false
  wasLent = false
  holder: number | undefined

  constructor(id: number) {
    this.id = id
  }
}
