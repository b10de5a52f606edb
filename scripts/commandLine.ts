/**
 * The command lines of this repository's tasks. One description of a task's options is what is read, what is refused, in
 * one line that says what is allowed, and what `--help` prints.
 */
import { accessSync, constants, existsSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { parseArgs } from "node:util"

/** An option: how it is read, and what is said of it. */
export interface Option<A> {
  readonly about: string
  /** How its value is called; without one it has none, and is there or not. */
  readonly value?: string
  /** What counts where it is not given. */
  readonly absent: A
  /** How that is written, where there is something to write. */
  readonly fallback?: string
  /** In words. */
  readonly allowed?: string
  /** Nothing for a text that is not allowed. A `UsageError` of its own says more. */
  readonly read: (text: string) => A | undefined
}

/** The arguments that are no options. */
export interface Operands {
  /** How they are called, one of them. */
  readonly value: string
  readonly about: string
  /** Those that there are; default any. */
  readonly known?: ReadonlyArray<string>
  readonly most?: number
  readonly needed?: boolean
}

type Options = Readonly<Record<string, Option<unknown>>>

export interface Line<O extends Options> {
  /** As it is typed: `npm run soak`. */
  readonly command: string
  readonly about: string
  readonly options: O
  readonly operands?: Operands
  /** What follows the command in an example, where anything can. */
  readonly example?: string
}

export interface Given<O extends Options> {
  readonly values: { readonly [K in keyof O]: O[K] extends Option<infer A> ? A : never }
  readonly operands: ReadonlyArray<string>
}

/** A mistake in the command line: shown without a stack. */
export class UsageError extends Error {}

/** What `--help` asks for. */
export class Help extends Error {}

export const flag = (about: string): Option<boolean> => ({ about, absent: false, read: () => true })

export const text = (value: string, about: string): Option<string | undefined> => ({
  about,
  value,
  absent: undefined,
  read: (given) => given
})

/** A file to be written when all is done: that it cannot be is known before all begins. */
export const output = (about: string): Option<string | undefined> => ({
  ...text("FILE", about),
  read: (given) => {
    if (isWritable(given)) return given
    throw new UsageError(`${given} cannot be written; allowed is a file in a folder that can`)
  }
})

const isWritable = (file: string): boolean => {
  try {
    accessSync(existsSync(file) ? file : dirname(file), constants.W_OK)
    return !existsSync(file) || !statSync(file).isDirectory()
  } catch {
    return false
  }
}

/** NaN for what is none. */
const numberOf = (given: string): number => given.trim() === "" ? Number.NaN : Number(given)

interface Bounds {
  readonly least: number
  readonly most: number
  readonly absent: number
  readonly fallback?: string
}

export const number = (about: string, { absent, fallback = String(absent), least, most }: Bounds): Option<number> => ({
  about,
  value: "N",
  absent,
  fallback,
  allowed: `the numbers from ${least} to ${most}`,
  read: (given) => {
    const read = numberOf(given)
    return read >= least && read <= most ? read : undefined
  }
})

export const integer = (about: string, bounds: Bounds): Option<number> => {
  const option = number(about, bounds)
  return {
    ...option,
    allowed: `the integers from ${bounds.least} to ${bounds.most}`,
    read: (given) => Number.isInteger(numberOf(given)) ? option.read(given) : undefined
  }
}

/** One of `known`; `absent` where none is given. */
export const oneOf = <const A extends string, B extends A | undefined>(
  value: string,
  about: string,
  known: ReadonlyArray<A>,
  absent: B
): Option<A | B> => ({
  about,
  value,
  absent,
  ...(absent === undefined ? {} : { fallback: absent }),
  allowed: known.join(", "),
  read: (given) => known.find((one) => one === given)
})

const written = (name: string, { value }: Option<unknown>) => value === undefined ? `--${name}` : `--${name} ${value}`

const HELP = "--help"

const helpOf = <O extends Options>({ about, command, example, operands, options }: Line<O>): string => {
  const rows = [
    ...(operands === undefined ? [] : [[operands.value, operands.about, operands.known?.join(", "), undefined]]),
    ...Object.entries(options).map((
      [name, option]
    ) => [written(name, option), option.about, option.allowed, option.fallback]),
    [`${HELP}, -h`, "prints this"]
  ]
  const width = Math.max(...rows.map(([head = ""]) => head.length))
  const lines = rows.map(([head = "", says, allowed, fallback]) =>
    `  ${head.padEnd(width)}  ${says}` +
    (allowed === undefined ? "" : `: ${allowed}`) + (fallback === undefined ? "" : `; default ${fallback}`)
  )
  const called = operands?.most === 1 ? operands.value : `${operands?.value}...`
  const usage = [
    `${command} --`,
    ...(operands === undefined ? [] : [operands.needed === true ? called : `[${called}]`]),
    "[options]"
  ].join(" ")
  return `${usage}\n\n${about}\n\n${lines.join("\n")}\n\nExample: ${command}${
    example === undefined ? "" : ` -- ${example}`
  }`
}

const optionsOf = (options: Options): string =>
  [...Object.entries(options).map(([name, option]) => written(name, option)), HELP].join(", ")

const checkOperands = (found: ReadonlyArray<string>, operands: Operands | undefined, options: Options) => {
  const [first] = found
  if (first === undefined) {
    if (operands?.needed === true) throw new UsageError(`${operands.value} is missing; wanted is ${operands.about}`)
    return
  }
  if (operands === undefined) throw new UsageError(`${first} is not allowed; allowed are ${optionsOf(options)}`)
  const { known, most = Infinity, value } = operands
  if (found.length > most) throw new UsageError(`${value} is ${found.join(" ")}; allowed is one`)
  const unknown = found.find((one) => known !== undefined && !known.includes(one))
  if (unknown !== undefined) throw new UsageError(`${value} is ${unknown}; allowed are ${known?.join(", ")}`)
}

/** What was given. Throws a `UsageError` for what is not allowed, and `Help` where that is asked for. */
export const parse = <O extends Options>(line: Line<O>, args: ReadonlyArray<string>): Given<O> => {
  const { operands, options } = line
  const { positionals, tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(options).map(([name, { value }]) => [name, { type: value === undefined ? "boolean" : "string" }])
    ),
    allowPositionals: true,
    // It would refuse in words of its own.
    strict: false,
    tokens: true
  })
  const given = tokens.filter((token) => token.kind === "option")
  if (given.some(({ rawName }) => rawName === HELP || rawName === "-h")) throw new Help(helpOf(line))
  const values: Record<string, unknown> = Object.fromEntries(
    Object.entries(options).map(([name, { absent }]) => [name, absent])
  )
  for (const { name, rawName, value } of given) {
    const option = Object.hasOwn(options, name) && rawName === `--${name}` ? options[name] : undefined
    if (option === undefined) throw new UsageError(`${rawName} is no option; allowed are ${optionsOf(options)}`)
    values[name] = valueOf(rawName, option, value)
  }
  checkOperands(positionals, operands, options)
  // Each has been read by the option of its name, or is what that has for its absence.
  return { values: values as Given<O>["values"], operands: positionals }
}

const valueOf = (name: string, { allowed, read, value }: Option<unknown>, given: string | undefined) => {
  if (value === undefined) {
    if (given !== undefined) throw new UsageError(`${name} is ${given}; it has no value`)
    return read("")
  }
  const wanted = allowed === undefined ? `it wants ${value}` : `allowed are ${allowed}`
  if (given === undefined) throw new UsageError(`${name} has no value; ${wanted}`)
  const result = read(given)
  if (result === undefined) throw new UsageError(`${name} is ${given}; ${wanted}`)
  return result
}

/** Says what went wrong, or what was asked for; the exit code. */
export const explain = (error: unknown): number => {
  if (error instanceof Help) {
    console.log(error.message)
    return 0
  }
  console.error(error instanceof UsageError ? error.message : error)
  return error instanceof UsageError ? 2 : 1
}

/** What this process was given. Ends it, with its code, where there is nothing more to do. */
export const read = <O extends Options>(line: Line<O>): Given<O> => {
  try {
    return parse(line, process.argv.slice(2))
  } catch (error) {
    process.exit(explain(error))
  }
}
