/** The sums in the files for a cluster: a change of one number must not leave the others behind. */
import { Sizing } from "@breakwater/core"
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"

const read = (path: string): string => fs.readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8")

const numberIn = (text: string, pattern: RegExp): number => {
  const [, found] = pattern.exec(text) ?? []
  assert.isDefined(found, `nothing matches ${pattern.source}`)
  return Number(found)
}

describe("The files for a cluster", () => {
  const storefront = read("docs/deploy/kubernetes/storefront.yml")
  const replicas = numberIn(storefront, /^ {2}replicas: (\d+)$/m)
  const surge = numberIn(storefront, /maxSurge: (\d+)/)

  it("leave the server room for all pods, also while a new version comes up", () => {
    const max = numberIn(read("examples/storefront/Database.ts"), /max: (\d+)/)
    const { change, findings, total } = Sizing.advise({ deployment: { replicas, surge }, pool: { max } })
    assert.deepStrictEqual([change, findings.filter(({ kind }) => kind === "limit")], ["keep", []])
    assert.include(storefront, `(${replicas} + ${surge}) x ${max} = ${total}`)
    assert.strictEqual(numberIn(storefront, /BREAKWATER_REPLICAS\n\s+value: "(\d+)"/), replicas + surge)
  })

  it("give a pod the time to end", () => {
    const wait = numberIn(storefront, /command: \["sleep", "(\d+)"\]/)
    const limit = numberIn(storefront, /SIGTERM, and (\d+) s/)
    assert.isAbove(numberIn(storefront, /terminationGracePeriodSeconds: (\d+)/), wait + limit)
    assert.match(read("examples/storefront/main.ts"), /SHUTDOWN_LIMIT_MILLIS = 10_000|deadline: "10 seconds"/)
    assert.strictEqual(limit, 10)
  })

  it("set PgBouncer up as Sizing says", () => {
    const compose = read("docs/deploy/pgbouncer/compose.yml")
    const cluster = read("docs/deploy/kubernetes/pgbouncer.yml")
    for (const [name, value] of Object.entries(Sizing.pooler)) {
      assert.match(compose, new RegExp(`${name}: "?${value}"?$`, "m"))
      assert.match(cluster, new RegExp(`name: ${name}\\n\\s+value: "?${value}"?$`, "m"))
    }
  })
})
