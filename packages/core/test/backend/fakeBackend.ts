import { Effect } from "effect"
import { type Backend, ofPool } from "../../src/backend/Backend.ts"
import * as Policy from "../../src/policy/Policy.ts"
import * as Pool from "../../src/pool/Pool.ts"

/** A backend over a pool of strings; `parts` stand in for what a test looks at. */
export const fakeBackend = (name: string, parts?: Partial<Backend>) =>
  Effect.map(Pool.make({ name, acquire: Effect.succeed(name), size: { max: 3 } }), (pool): Backend => ({
    name,
    kind: "fake",
    critical: true,
    health: Effect.die("not asked for"),
    policy: Effect.succeed(Policy.snapshot(Policy.make({ deadline: "1 second" }))),
    ...ofPool(pool),
    ...parts
  }))
