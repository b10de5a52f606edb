import { assert, describe, it } from "@effect/vitest"
import { figuresTable, passed, type Run, toJson, toMarkdown } from "../src/simulations/document.ts"
import { draw } from "../src/simulations/plot.ts"
import { broken, type Figures, type Plot } from "../src/simulations/scenario.ts"

const plot: Plot = {
  title: "Goodput & shed",
  x: "seconds",
  y: "a second",
  lines: [{ name: "none", points: [[0, 0], [10, NaN], [20, 100]] }, { name: "ours", points: [[0, 50], [20, 50]] }]
}

const figures = (amplification: number): Figures => ({
  measures: { baseline: 4, amplification },
  bounds: [{ measure: "amplification", atMost: 1.25 }],
  series: [plot]
})

const run = (...values: ReadonlyArray<number>): Run => ({
  scenario: { id: "R1", title: "A storm", source: "Somebody, 2020.", run: figures },
  figures: values.map(figures)
})

describe("the document of simulations", () => {
  it("says which bound a value breaks, and takes what was not measured for broken", () => {
    assert.deepStrictEqual(broken(figures(1.25)), [])
    assert.deepStrictEqual(broken(figures(2)), ["amplification is 2, allowed is ≤ 1.25"])
    assert.strictEqual(broken(figures(NaN)).length, 1)
    assert.strictEqual(broken({ measures: {}, bounds: [{ measure: "gone", atLeast: 0 }] }).length, 1)
  })

  it("passes only when every seed keeps the bound, and gives the worst of them", () => {
    assert.isTrue(passed(run(1, 1.2)))
    assert.isFalse(passed(run(1, 2, 1)))
    assert.deepStrictEqual(toJson([run(1, 2, 1.5)]), {
      R1: { baseline: 4, amplification: 2, bound: { amplification: { atMost: 1.25 } }, pass: false }
    })
    assert.include(figuresTable(run(1, 2)), "1 to 2")
  })

  it("shows each scenario with its source, its figures and its plots", () => {
    const text = toMarkdown([run(1)], "2026-01-02", [1])
    assert.include(text, "## R1: A storm\n\nSomebody, 2020.\n\n|")
    assert.include(text, "![Goodput & shed](simulations/r1-1.svg)")
    assert.include(text, "2026-01-02")
  })
})

describe("a plot", () => {
  it("draws a line for each series, with a gap where nothing was measured", () => {
    const svg = draw(plot)
    assert.include(svg, "Goodput &amp; shed")
    const paths = [...svg.matchAll(/class="line l\d" d="(M[^h"]+)"/g)].map(([, path]) => path)
    assert.strictEqual(paths.length, 2)
    assert.match(paths[0]!, /^M[\d. ]+M[\d. ]+$/)
    assert.match(paths[1]!, /^M[\d. ]+L[\d. ]+$/)
  })

  it("spreads powers of ten evenly on a logarithmic axis", () => {
    const svg = draw({ ...plot, log: true, lines: [{ name: "p50", points: [[0, 10], [1, 100], [2, 1000]] }] })
    const [first, second, third] = [...svg.matchAll(/class="grid" d="M\d+ ([\d.]+)H/g)].map(([, y]) => Number(y))
    assert.approximately(first! - second!, second! - third!, 0.2)
  })
})
