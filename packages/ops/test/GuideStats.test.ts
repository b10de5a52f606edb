import type { Particulars } from "@breakwater/core/Backend"
import * as Backends from "@breakwater/core/Backends"
import * as Pool from "@breakwater/core/Pool"
import { GuideStats, Ops, OpsStats } from "@breakwater/ops"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { readFileSync } from "node:fs"
import { backend } from "./support.ts"

const counts = { ...Pool.emptyStats, idle: 2, used: 3, opening: 1, max: 10, opened: 7 }

const shown = (kind: string, particulars?: Particulars) =>
  Effect.gen(function*() {
    yield* backend("one", {
      kind,
      stats: Effect.succeed(counts),
      ...(particulars !== undefined && { particulars: Effect.succeed(particulars) })
    })
    const [entry] = yield* Backends.list
    return yield* GuideStats.of(entry?.backend ?? assert.fail("there is none"))
  }).pipe(Effect.scoped, Backends.isolated)

const topology = { type: "ReplicaSetWithPrimary", servers: ["a:27017", "b:27017"] }
const origins = { max: 30, used: { "https://a.test": 3, "https://b.test": 1 } }

const EXPECTED: ReadonlyArray<
  readonly [kind: string, particulars: Particulars, names: Readonly<Record<string, unknown>>]
> = [
  ["mongodb", { topology }, {
    current: 5,
    available: 5,
    totalCreated: 7,
    topology_type: "ReplicaSetWithPrimary",
    known_servers: ["a:27017", "b:27017"]
  }],
  ["redis", {}, {
    created_connections: 7,
    available_connections: 2,
    in_use_connections: 3,
    max_connections: 10
  }],
  ["http", { origins }, {
    limit: 10,
    limit_per_host: 30,
    connections: 5,
    acquired: 4,
    acquired_per_host: { "https://a.test": 3, "https://b.test": 1 },
    total_connections: 5,
    acquired_connections: 4,
    max_connections: 10,
    max_connections_per_host: 30
  }],
  ["websocket", { ids: ["x", "y"] }, {
    total_connections: 5,
    max_connections: 10,
    connection_ids: ["x", "y"]
  }]
]

describe("The numbers by the names of the guides", () => {
  for (const [kind, particulars, names] of EXPECTED) {
    it.effect(`have each name of ${kind}`, () =>
      Effect.map(shown(kind, particulars), (stats) => assert.deepStrictEqual<unknown>(stats, names)))
  }

  it.effect("leave out what a backend does not tell", () =>
    Effect.gen(function*() {
      assert.hasAllKeys(yield* shown("mongodb"), ["current", "available", "totalCreated"])
      assert.hasAllKeys(yield* shown("websocket"), ["total_connections", "max_connections"])
      assert.hasAllKeys(yield* shown("http"), [
        "limit",
        "connections",
        "acquired",
        "total_connections",
        "acquired_connections",
        "max_connections"
      ])
    }))

  it.effect("are none of a kind that has no such names", () =>
    Effect.map(shown("postgres"), (stats) => assert.isNull(stats)))

  const TOKEN = "at-least-16-characters"
  const statsOf = (options: Ops.Options) =>
    Effect.gen(function*() {
      for (const [kind, particulars] of [...EXPECTED, ["postgres", {}] as const]) {
        yield* backend(kind, { kind, stats: Effect.succeed(counts), particulars: Effect.succeed(particulars) })
      }
      const { dispose, handler } = Ops.toWebHandler({ token: Redacted.make(TOKEN), logs: false, ...options })
      yield* Effect.addFinalizer(() => Effect.promise(dispose))
      const headers = { authorization: `Bearer ${TOKEN}` }
      const answer = yield* Effect.promise(() => handler(new Request("http://localhost/stats", { headers })))
      const body = yield* Effect.promise(() => answer.text())
      const { backends } = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(OpsStats.Stats))(body)
      return new Map(Object.values(backends).map(({ guide, kind }) => [kind, guide]))
    }).pipe(Effect.scoped)

  it.live("are in /stats where they are asked for, and only there", () =>
    Effect.gen(function*() {
      const guided = yield* statsOf({ guideStats: true })
      for (const [kind, , names] of EXPECTED) assert.deepStrictEqual<unknown>(guided.get(kind), names)
      assert.isNull(guided.get("postgres"))
      const plain = yield* statsOf({})
      assert.deepStrictEqual([...plain.values()], [...EXPECTED, "postgres"].map(() => undefined))
    }))

  it("are all on the page on operations", () => {
    const document = readFileSync(new URL("../../../docs/80-operations.md", import.meta.url), "utf8")
    const section = document.split("## Numbers by the names of the guides")[1]?.split("\n## ")[0] ?? ""
    for (const [kind, , names] of EXPECTED) {
      const row = section.split("\n").find((line) => line.toLowerCase().startsWith(`| ${kind} `)) ?? ""
      for (const name of Object.keys(names)) assert.include(row, `\`${name}\``)
    }
  })
})
