/**
 * The server's end of a connection: what it remembers for its client, and what it answers.
 *
 * @internal
 */

/** What a session starts with, and has again after `RESET`. */
const CLEAN = "clean"

export type Role = "writer" | "reader"

/** What the server answers, and after how many milliseconds. */
export interface Answer {
  readonly text: string
  readonly after: number
}

export class Session {
  readonly id: number
  role: Role
  /** Nothing comes through any more, and neither end is told. */
  isSilent = false
  /** `RESET` is answered with an error. */
  failsReset = false
  private state = new Set<string>()

  constructor(id: number, role: Role) {
    this.id = id
    this.role = role
  }

  /**
   * The answer to a command, `undefined` where there is none. Commands:
   * `PING`, `BEGIN`, `SET`, `TEMP`, `LISTEN`, `ROWS` (leaves unread rows), `STATE` (what of these is left), `RESET`,
   * `WRITE` (fails on a reader), `WORK n` (takes n milliseconds).
   */
  answer(command: string): Answer | undefined {
    if (this.isSilent) return undefined
    const [verb = "", argument = "0"] = command.split(" ")
    switch (verb) {
      case "STATE":
        return { text: this.state.size === 0 ? CLEAN : [...this.state].join(","), after: 0 }
      case "RESET":
        if (this.failsReset) return { text: "ERROR cannot reset", after: 0 }
        this.state.clear()
        return { text: "OK", after: 0 }
      case "WRITE":
        return { text: this.role === "writer" ? "OK" : "ERROR read-only", after: 0 }
      case "WORK":
        return { text: "OK", after: Number(argument) }
      case "PING":
        return { text: "OK", after: 0 }
      default:
        this.state.add(verb)
        return { text: "OK", after: 0 }
    }
  }
}
