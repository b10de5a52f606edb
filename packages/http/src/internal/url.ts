/**
 * The base URL of a client, and where a request goes. Neither ever shows its user, password, path or query in an error.
 *
 * @internal
 */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

export interface Base {
  readonly origin: string
  /** Ends in a slash: what relative URLs are resolved against. */
  readonly href: string
  /** Value of the `authorization` header for `origin`. */
  readonly authorization: Redacted.Redacted | undefined
}

export const configError = (message: string): Config.ConfigError =>
  new Config.ConfigError(new ConfigProvider.SourceError({ message }))

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

/** Fails with what is wrong, without showing the URL: its text may hold a password. */
export const parse = (url: Redacted.Redacted): Result.Result<Base, Config.ConfigError> => {
  const text = Redacted.value(url)
  const wrong = (part: string) => Result.fail(configError(`HTTP URL: ${part} is not allowed; allowed is ${FORM}`))
  if (!URL.canParse(text)) return wrong("its text")
  const parsed = new URL(text)
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") return wrong("its protocol")
  if (parsed.search !== "" || parsed.hash !== "") return wrong("a query or a fragment")
  // The rest of a password with a slash in it would show as a host or a path.
  if (parsed.pathname.includes("@")) return wrong("an @ in the path")
  const authorization = takeCredentials(parsed)
  return Result.succeed({
    origin: parsed.origin,
    href: parsed.href.endsWith("/") ? parsed.href : `${parsed.href}/`,
    authorization: authorization === undefined ? undefined : Redacted.make(authorization)
  })
}
