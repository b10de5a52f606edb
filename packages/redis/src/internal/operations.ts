/**
 * What policies are told of commands. A handful of kinds per backend, so each is made once.
 *
 * @internal
 */
import * as Operation from "@breakwater/core/Operation"

/** A program that makes names up must not fill the memory. */
const MAX_KINDS = 512
const MAX_NAME = 24

export class Operations {
  private readonly kinds = new Map<string, Operation.Operation>()
  private readonly name: string

  constructor(name: string) {
    this.name = name
  }

  of(command: string, idempotent: boolean): Operation.Operation {
    const key = idempotent ? `${command}!` : command
    const known = this.kinds.get(key)
    if (known !== undefined) return known
    const operation = Operation.make(`${this.name}.${command.length > MAX_NAME ? "command" : command}`, { idempotent })
    if (this.kinds.size < MAX_KINDS) this.kinds.set(key, operation)
    return operation
  }
}
