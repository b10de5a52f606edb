/** Random sequences of commands, and the shortest part of one that still fails. */
import { seeded } from "../seeded.ts"
import { run } from "./lockstep.ts"
import * as V from "./vocabulary.ts"

type Choices = ReturnType<typeof seeded>

/** More than a borrow has operations, of whatever kind. */
export const OPERATIONS = 48
const MOST_COMMANDS = 100

export interface Sequence {
  readonly settings: V.Settings
  readonly commands: ReadonlyArray<V.Command>
}

export const sequence = (seed: number): Sequence => {
  const choices = seeded(seed)
  const settings = settingsOf(choices)
  const length = 1 + choices.below(MOST_COMMANDS)
  return { settings, commands: Array.from({ length }, () => commandOf(choices)) }
}

const sizeOf = ({ below }: Choices): V.Size => {
  const max = 1 + below(4)
  const min = below(max + 1)
  const least = Math.max(1, min)
  return { min, max, keep: least + below(max - least + 1) }
}

const settingsOf = (choices: Choices): V.Settings => {
  const { below, next } = choices
  return {
    ...sizeOf(choices),
    lazy: next() < 0.3,
    maxWaiting: 1 + below(6),
    failFast: next() < 0.7,
    concurrency: 1 + below(3),
    tested: next() < 0.7,
    stubborn: next() < 0.3,
    resets: next() < 0.3,
    maxHold: next() < 0.3 ? V.MAX_HOLD : Infinity
  }
}

/**
 * Short and long times alike. Borrows have odd timeouts and all else takes even times, so that no borrow's deadline falls on
 * the instant of something else: which of the two comes first is nobody's business.
 */
const evenMillisOf = ({ next }: Choices, most: number): number => 2 * Math.ceil(most ** next() / 2)

const makers: ReadonlyArray<readonly [weight: number, make: (choices: Choices) => V.Command]> = [
  [
    10,
    (choices) => ({
      _tag: "borrow",
      priority: choices.below(2),
      key: choices.pick([undefined, "a", "b"]),
      timeout: evenMillisOf(choices, 200_000) - 1,
      via: choices.pick(["use", "use", "get"]),
      parkAt: choices.next() < 0.4 ? choices.below(OPERATIONS) : undefined
    })
  ],
  [4, ({ below }) => ({ _tag: "go on", nth: below(8) })],
  [3, ({ below }) => ({ _tag: "cancel", nth: below(8) })],
  [8, ({ below, pick }) => ({ _tag: "return", nth: below(8), how: pick(["succeeds", "succeeds", "fails", "dies"]) })],
  [
    9,
    ({ below, pick }) => ({
      _tag: "answer dial",
      nth: below(4),
      how: pick(["accepts", "accepts", "accepts", "accepts", "refuses", "accepts a corpse"])
    })
  ],
  [5, ({ below, pick }) => ({ _tag: "answer check", nth: below(4), how: pick(["passes", "passes", "fails"]) })],
  [5, ({ below }) => ({ _tag: "end close", nth: below(4) })],
  [1, ({ below }) => ({ _tag: "kill", nth: below(4) })],
  [2, ({ below }) => ({ _tag: "invalidate", nth: below(4) })],
  [6, (choices) => ({ _tag: "tick", millis: evenMillisOf(choices, 100_000) })],
  [1, ({ next }) => ({ _tag: "clear", interrupt: next() < 0.5 })],
  [1, ({ pick }) => ({ _tag: pick(["pause", "resume", "resume"]) })],
  [1, (choices) => ({ _tag: "resize", ...sizeOf(choices) })],
  [0.3, (choices) => ({ _tag: "drain", deadline: evenMillisOf(choices, 20_000) })]
]

const total = makers.reduce((sum, [weight]) => sum + weight, 0)

const commandOf = (choices: Choices): V.Command => {
  let left = choices.next() * total
  const chosen = makers.find(([weight]) => (left -= weight) < 0)
  return (chosen ?? makers[0]!)[1](choices)
}

/** Leaves out halves, quarters, …, single commands, and parking, for as long as what is left still fails. */
export const shrink = ({ commands, settings }: Sequence): Sequence => {
  let failing = commands
  const tryOut = (candidate: ReadonlyArray<V.Command>): boolean => {
    const fails = run(settings, candidate) !== undefined
    if (fails) failing = candidate
    return fails
  }
  for (let before = Infinity; failing.length < before;) {
    before = failing.length
    for (let size = Math.ceil(before / 2); size >= 1; size = Math.floor(size / 2)) {
      for (let from = 0; from < failing.length;) {
        if (!tryOut(failing.toSpliced(from, size))) from += size
      }
    }
  }
  for (const [at, command] of failing.entries()) {
    if (command._tag === "borrow") tryOut(failing.with(at, { ...command, parkAt: undefined }))
  }
  return { settings, commands: failing }
}

/** The same, with every borrow parked at that operation. */
export const parkedAt = (operation: number, { commands, settings }: Sequence): Sequence => ({
  settings,
  commands: commands.map((command) => command._tag === "borrow" ? { ...command, parkAt: operation } : command)
})

/** What goes wrong, in as few commands as it takes; undefined when nothing does. */
export const failureOf = (found: Sequence): string | undefined => {
  if (run(found.settings, found.commands) === undefined) return undefined
  const { commands, settings } = shrink(found)
  const lines = commands.map((command) => `  ${JSON.stringify(command)}`)
  return ["The pool and the model differ:", JSON.stringify(settings), ...lines, run(settings, commands)].join("\n")
}
