/** The storefront on its Postgres under a light load, for faults by a person's own hand. */
import type { PostgresServerError } from "@breakwater/testing/PostgresServerError"
import { Effect } from "effect"
import * as Ledger from "./Ledger.ts"
import * as Load from "./load.ts"
import type { Scene } from "./Scene.ts"
import * as Screen from "./Screen.ts"
import { Watch } from "./Watch.ts"

const RATE = 30
const DOWN_FOR = "3 seconds"

const guide = (scene: Scene, pid: number | undefined) => `
The storefront is under ${RATE} requests a second. Ctrl-C ends everything.

  ${scene.url}            the storefront
  ${scene.url}/pools      what its pools do, live

  curl ${scene.url}/products/3
  curl -X POST ${scene.url}/orders -H 'idempotency-key: mine' -H 'content-type: application/json' \\
    -d '{"product": 3, "quantity": 1}'
  curl ${scene.url}/health/ready
${
  pid === undefined ? "" : `  kill -9 ${pid}      kills Postgres; ${DOWN_FOR} later it is started again
`
}
${Screen.header}`

/** Starts Postgres again whenever somebody has killed it. */
const revive = Effect.fnUntraced(
  function*(
    { postgres: { server } }: Scene,
    say: (text: string) => void
  ): Effect.fn.Return<never, PostgresServerError> {
    for (;;) {
      yield* Effect.sleep("200 millis")
      const running = yield* Effect.isSuccess(server.pid)
      if (running) continue
      say("Postgres was killed: down")
      yield* Effect.sleep(DOWN_FOR)
      yield* server.start
      say(`Postgres is back, pid ${yield* server.pid}`)
    }
  }
)

export const serve = Effect.fnUntraced(function*(scene: Scene) {
  const watch = new Watch({ remembers: false })
  watch.what = "serving"
  yield* Ledger.fill(scene.postgres.server.url)
  yield* Load.start(scene, watch, RATE)
  const { server } = scene.postgres
  console.log(guide(scene, server.given ? undefined : yield* server.pid))
  const reviving = server.given ? Effect.never : revive(scene, (text) => {
    watch.what = text
  })
  return yield* Effect.raceFirst(reviving, Load.show(scene, watch))
})
