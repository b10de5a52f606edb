import { assert, describe, it } from "@effect/vitest"
import { scenarios } from "../src/simulations/index.ts"
import { broken, seeds } from "../src/simulations/scenario.ts"

it("names every scenario once", () => {
  assert.deepStrictEqual([...new Set(scenarios.map(({ id }) => id))], scenarios.map(({ id }) => id))
})

describe("with the default settings", () => {
  for (const { costly, id, run, title } of scenarios) {
    for (const seed of costly === true ? seeds.slice(0, 1) : seeds) {
      it(`${id} keeps its bounds: ${title}, seed ${seed}`, () => {
        assert.deepStrictEqual(broken(run(seed)), [])
      }, 30_000)
    }
  }
})
