import { assert, describe, it } from "@effect/vitest"
import { scenarios } from "../src/simulations/index.ts"
import { broken, seeds } from "../src/simulations/scenario.ts"

it("names every scenario once", () => {
  assert.deepStrictEqual([...new Set(scenarios.map(({ id }) => id))], scenarios.map(({ id }) => id))
})

describe.skipIf(scenarios.length === 0)("with the default settings", () => {
  for (const { id, run, title } of scenarios) {
    for (const seed of seeds) {
      it(`${id} keeps its bounds: ${title}, seed ${seed}`, () => {
        assert.deepStrictEqual(broken(run(seed)), [])
      }, 30_000)
    }
  }
})
