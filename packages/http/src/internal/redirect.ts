/**
 * A request on its way out, and what becomes of it at a redirect.
 *
 * @internal
 */
import type { Dispatcher } from "undici/index.js"
import type { Incoming } from "./exchange.ts"
import type { Upstream } from "./upstream.ts"
import { takeCredentials } from "./url.ts"

export interface Outgoing {
  readonly method: string
  /** Without user and password. */
  readonly url: URL
  readonly headers: Record<string, string | Array<string>>
  /** Called once for each attempt. */
  readonly body: () => NonNullable<Dispatcher.DispatchOptions["body"]> | null
  readonly idempotent: boolean
  /** Whether redirects are followed. */
  readonly follow: boolean
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** Says who asks: for nobody but the origin it was meant for. */
const PERSONAL = new Set(["authorization", "cookie", "proxy-authorization"])

const becomesGet = (status: number, method: string): boolean =>
  (status === 303 && method !== "GET" && method !== "HEAD") ||
  ((status === 301 || status === 302) && method === "POST")

const targetOf = (location: string, from: URL): URL | undefined => {
  if (!URL.canParse(location, from.href)) return undefined
  const url = new URL(location, from)
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined
  // What a server writes there is not the program's to send.
  takeCredentials(url)
  return url
}

/** The request that a response redirects to; none where it does not, or to nothing that can be followed. */
export const redirected = (
  outgoing: Outgoing,
  incoming: Incoming,
  upstream: Upstream | undefined
): Outgoing | undefined => {
  const location = incoming.headers["location"]
  if (!REDIRECTS.has(incoming.status) || typeof location !== "string") return undefined
  const target = targetOf(location, outgoing.url)
  if (target === undefined) return undefined
  const url = upstream?.common(target) ?? target
  const toGet = becomesGet(incoming.status, outgoing.method)
  const { origin } = outgoing.url
  const elsewhere = target.origin !== origin && !(upstream?.has(target.origin) === true && upstream.has(origin))
  const headers = Object.fromEntries(
    Object.entries(outgoing.headers).filter(([header]) => {
      const name = header.toLowerCase()
      return name !== "host" && !(toGet && name.startsWith("content-")) && !(elsewhere && PERSONAL.has(name))
    })
  )
  return toGet
    ? { ...outgoing, url, headers, method: "GET", body: () => null, idempotent: true }
    : { ...outgoing, url, headers }
}
