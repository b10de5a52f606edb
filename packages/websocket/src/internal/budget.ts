/**
 * So many dials in any span of so long, whatever else says that it is time for one.
 *
 * @internal
 */
export class Budget {
  /** Instants of the last dials, the oldest first; at most `dials` of them. */
  private readonly spent: Array<number> = []
  private readonly dials: number
  private readonly per: number

  constructor(dials: number, per: number) {
    this.dials = dials
    this.per = per
  }

  /** Milliseconds until the next dial is allowed. */
  wait(now: number): number {
    const oldest = this.spent.length < this.dials ? undefined : this.spent[0]
    return oldest === undefined ? 0 : Math.max(0, oldest + this.per - now)
  }

  spend(now: number): void {
    this.spent.push(now)
    if (this.spent.length > this.dials) this.spent.shift()
  }
}
