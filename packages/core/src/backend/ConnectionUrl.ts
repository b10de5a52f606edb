/**
 * Connection URLs taken apart, for authors of backends. Errors and warnings name the part and, for settings, the value;
 * none shows the URL, its user or its password, nor what may be the rest of a password that is not encoded.
 *
 * @since 0.1.0
 */
import type * as Config from "effect/Config"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { error } from "./ConfigOptions.ts"

/** Thrown inside, caught by `read`: most parts can be wrong. */
class Refused extends Error {}

/**
 * Where a server is, and who asks.
 *
 * @since 0.1.0
 * @category models
 */
export interface Address {
  /** With its colon. */
  readonly protocol: string
  readonly host?: string
  readonly port?: number
  readonly username?: string
  readonly password?: Redacted.Redacted
  /** What comes after the slash, as it stands there. */
  readonly path: string
  readonly search: URLSearchParams
}

/**
 * What reads one parameter into what all of them are read into.
 *
 * @since 0.1.0
 * @category models
 */
export type Parameters<Into> = Readonly<Record<string, (into: Into, value: string) => void>>

/**
 * Reads URLs of one kind; `kind` begins every error. All methods but `read` throw, and are for use inside of it.
 *
 * @since 0.1.0
 * @category constructors
 */
export class Reader {
  readonly kind: string

  constructor(kind: string) {
    this.kind = kind
  }

  /** Gives what `take` makes of the text, or fails with what was refused. No other error passes: it may quote the text. */
  read<A>(url: Redacted.Redacted, take: (text: string) => A): Result.Result<A, Config.ConfigError> {
    try {
      return Result.succeed(take(Redacted.value(url)))
    } catch (thrown) {
      return Result.fail(error(thrown instanceof Refused ? thrown.message : `${this.kind} URL: it is not valid`))
    }
  }

  /** Only a value that cannot be a part of a password may be given. */
  refuse(part: string, allowed: string, value?: string): never {
    const is = value === undefined ? "is not valid" : `is ${JSON.stringify(value)}`
    throw new Refused(`${this.kind} URL: ${part} ${is}; allowed is ${allowed}`)
  }

  decode(part: string, text: string): string {
    try {
      return decodeURIComponent(text)
    } catch {
      return this.refuse(part, "percent-encoded UTF-8")
    }
  }

  whole(part: string, text: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
    const number = text.trim() === "" ? NaN : Number(text)
    if (Number.isSafeInteger(number) && number >= least && number <= most) return number
    const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`
    return this.refuse(part, `a whole number ${range}`, text)
  }

  /** Milliseconds of a parameter in seconds. */
  seconds(parameter: string, text: string, zero: "zero" | "above zero" = "above zero"): number {
    const number = text.trim() === "" ? NaN : Number(text)
    if (Number.isFinite(number) && (number > 0 || (zero === "zero" && number === 0))) return number * 1000
    const allowed = zero === "zero" ? "of 0 or more" : "above 0, since nothing waits without a bound"
    return this.refuse(`parameter "${parameter}"`, `a number of seconds ${allowed}`, text)
  }

  flag(parameter: string, text: string): boolean {
    return text === "true" || (text !== "false" && this.refuse(`parameter "${parameter}"`, "true, false", text))
  }

  /** A URL of one of some protocols, such as `redis`, of which the first is the one that errors recommend. */
  address(text: string, protocols: readonly [string, ...ReadonlyArray<string>]): Address {
    const form = `${protocols[0]}://user:password@host:port/database?parameters with everything else percent-encoded`
    if (!URL.canParse(text)) this.refuse("its text", form)
    const url = new URL(text)
    if (!protocols.includes(url.protocol.slice(0, -1))) this.refuse("its protocol", protocols.join(", "))
    // A password that is not encoded ends the user's part early, and its rest would show as a name of something else.
    const path = url.pathname.replace(/^\//, "")
    if (/[@/]/.test(path) || url.search.includes("@") || url.hash !== "") this.refuse("its text", form)
    const host = this.decode("host", url.hostname).replace(/^\[(.*)\]$/, "$1")
    return {
      protocol: url.protocol,
      ...(host === "" ? {} : { host }),
      ...(url.port === "" ? {} : { port: this.whole("port", url.port, 1, 65_535) }),
      ...(url.username === "" ? {} : { username: this.decode("user", url.username) }),
      ...(url.password === "" ? {} : { password: Redacted.make(this.decode("password", url.password)) }),
      path,
      search: url.searchParams
    }
  }

  /** Reads parameters; a warning says of `foreign` ones, and of those that nobody knows, that they have no effect. */
  parameters<Into extends { readonly warnings: Array<string> }>(
    into: Into,
    search: URLSearchParams,
    known: Parameters<Into>,
    foreign: ReadonlySet<string>
  ): void {
    for (const name of new Set(search.keys())) {
      const values = search.getAll(name)
      const take = Object.hasOwn(known, name) ? known[name] : undefined
      if (take === undefined) {
        // A name that nobody knows may be the rest of a password with a question mark in it.
        const shown = foreign.has(name) ? `the URL's parameter "${name}"` : "a parameter of the URL that is not known"
        into.warnings.push(`${shown} has no effect`)
        continue
      }
      if (new Set(values).size > 1) {
        into.warnings.push(`the URL gives "${name}" ${values.length} times; the last one counts`)
      }
      for (const value of values) take(into, value)
    }
  }
}
