/**
 * Who may see what is not for everybody: whoever has the token, or whoever the program says, or, where it says nothing,
 * this machine.
 *
 * @internal
 */
import * as Validate from "@breakwater/core/Validate"
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { createHash, timingSafeEqual } from "node:crypto"

export type Authorize = (request: HttpServerRequest) => Effect.Effect<boolean> | boolean

/** `missing`: a token would help. */
export type Verdict = "granted" | "missing" | "forbidden"

export type Access = (request: HttpServerRequest) => Effect.Effect<Verdict>

export interface Options {
  readonly token?: Redacted.Redacted | undefined
  readonly authorize?: Authorize | undefined
}

const LEAST_LENGTH = 16

/** Of one length whatever the text is: how long a comparison takes tells nothing. */
const digest = (text: string) => createHash("sha256").update(text).digest()

const bearer = (request: HttpServerRequest): string | undefined =>
  /^Bearer ([!-~]+)$/i.exec(request.headers["authorization"] ?? "")?.[1]

const byToken = (token: string): Access => {
  const wanted = digest(token)
  return (request) =>
    Effect.sync(() => {
      const given = bearer(request)
      return given !== undefined && timingSafeEqual(digest(given), wanted) ? "granted" : "missing"
    })
}

const byProgram = (authorize: Authorize): Access => (request) =>
  Effect.suspend(() => {
    const verdict = authorize(request)
    return Effect.map(
      Effect.isEffect(verdict) ? verdict : Effect.succeed(verdict),
      (may) => may ? "granted" : "missing"
    )
  })

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|::ffff:127(?:\.\d{1,3}){3})$/

/** A page of another site can have its name point here, and would then be on this machine; it cannot choose the host. */
const LOCAL_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i

/** Added by whoever passes requests on: then it is he who is on this machine. */
const PASSED_ON = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"]

const isLocal = ({ headers, peerAddress }: HttpServerRequest): boolean =>
  Option.exists(peerAddress, (address) => LOOPBACK.test(address)) &&
  LOCAL_HOST.test(headers["host"] ?? "") &&
  PASSED_ON.every((name) => headers[name] === undefined)

const byPlace: Access = (request) => Effect.sync(() => isLocal(request) ? "granted" : "forbidden")

/** Throws a `RangeError` for a token that could be guessed, and for two ways in. */
export const make = ({ authorize, token }: Options): Access => {
  if (token === undefined) return authorize === undefined ? byPlace : byProgram(authorize)
  if (authorize !== undefined) return Validate.refuse("authorize", "given", "one of token and authorize")
  const text = Redacted.value(token)
  if (text.length < LEAST_LENGTH || !/^[!-~]+$/.test(text)) {
    Validate.refuse("token", "given", `${LEAST_LENGTH} or more visible ASCII characters without a space`)
  }
  return byToken(text)
}
