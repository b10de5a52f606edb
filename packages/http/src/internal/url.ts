/**
 * The base URL of a client, and where a request goes. Neither ever shows its user, password, path or query in an error.
 *
 * @internal
 */
import * as ConnectionUrl from "@breakwater/core/ConnectionUrl"
import type * as Config from "effect/Config"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

export interface Base {
  readonly origin: string
  /** Ends in a slash: what relative URLs are resolved against. */
  readonly href: string
  /** Value of the `authorization` header for `origin`. */
  readonly authorization: Redacted.Redacted | undefined
}

const reader: ConnectionUrl.Reader = new ConnectionUrl.Reader("HTTP")

const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** Takes user and password out of a URL and makes of them what HTTP sends. */
export const takeCredentials = (url: URL): string | undefined => {
  if (url.username === "" && url.password === "") return undefined
  const pair = `${decoded(url.username)}:${decoded(url.password)}`
  url.username = url.password = ""
  return `Basic ${Buffer.from(pair, "utf8").toString("base64")}`
}

const FORM = "http://host:port/path or https://…, with everything else percent-encoded"

const read = (text: string): Base => {
  if (!URL.canParse(text)) reader.refuse("its text", FORM)
  const url = new URL(text)
  if (url.protocol !== "http:" && url.protocol !== "https:") reader.refuse("its protocol", FORM)
  if (url.search !== "" || url.hash !== "") reader.refuse("a query or a fragment", FORM)
  // The rest of a password with a slash in it would show as a host or a path.
  if (url.pathname.includes("@")) reader.refuse("an @ in the path", FORM)
  const authorization = takeCredentials(url)
  return {
    origin: url.origin,
    href: url.href.endsWith("/") ? url.href : `${url.href}/`,
    authorization: authorization === undefined ? undefined : Redacted.make(authorization)
  }
}

export const parse = (url: Redacted.Redacted): Result.Result<Base, Config.ConfigError> => reader.read(url, read)

const credentialsOf = ({ authorization }: Base): string =>
  authorization === undefined ? "" : Redacted.value(authorization)

/** Those of several servers that are equals: who asks is the same for all of them. */
export const parseAll = (
  urls: ReadonlyArray<Redacted.Redacted>
): Result.Result<ReadonlyArray<Base>, Config.ConfigError> =>
  Result.flatMap(Result.all(urls.map(parse)), (bases) =>
    reader.read(Redacted.make(""), () => {
      const [first] = bases
      if (first === undefined) return bases
      if (new Set(bases.map(({ origin }) => origin)).size < bases.length) reader.refuse("a host", "given once in hosts")
      for (const base of bases) {
        if (!["", credentialsOf(first)].includes(credentialsOf(base))) {
          reader.refuse("user and password", "those of the first of hosts, or none")
        }
      }
      return bases.map((base) => ({ ...base, authorization: first.authorization }))
    }))
