/** The services of others, as small as they can be, and as bad as they are told to be. */
import { FakeHttp } from "@breakwater/testing"
import { Effect } from "effect"

/** A network away. */
const WELL_AFTER = "2 millis"
/** More than the shop waits. */
const SLOW_AFTER = "2 seconds"

/** Answers with JSON, unless it is told to be slow or to fail. */
const make = Effect.fnUntraced(function*(answer: (request: FakeHttp.Request) => unknown) {
  const well: FakeHttp.Script = (request) => ({
    headers: { "content-type": "application/json" },
    body: JSON.stringify(answer(request)),
    headersAfter: WELL_AFTER
  })
  const { kill, restore, script, stats, url } = yield* FakeHttp.make(well)
  return {
    url,
    stats,
    kill,
    start: restore,
    slow: script((request) => ({ ...well(request), headersAfter: SLOW_AFTER })),
    failHalf: script((request) => request.index % 2 === 0 ? { status: 500 } : well(request)),
    mend: script(well)
  }
})

/** Authorizes each key once, and knows which. */
export const payments = Effect.gen(function*() {
  const authorized = new Map<string, string>()
  const upstream = yield* make(({ headers, method }) => {
    const key = headers["idempotency-key"]
    if (method !== "POST" || key === undefined) return {}
    const id = authorized.get(key) ?? `authorization-${authorized.size + 1}`
    authorized.set(key, id)
    return { id }
  })
  return { ...upstream, isAuthorized: (key: string) => authorized.has(key) }
})

export const shipping = make(({ path }) => {
  const product = Number(path.split("/").at(-1))
  return { product, cents: 400 + 10 * product, days: 1 + product % 3 }
})
