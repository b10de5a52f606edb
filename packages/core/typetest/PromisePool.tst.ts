import { Context, Effect, type Scope } from "effect"
import { describe, expect, test } from "tstyche"
import type * as Pool from "../src/pool/Pool.ts"
import type { PoolEvent } from "../src/pool/PoolEvent.ts"
import * as PromisePool from "../src/pool/PromisePool.ts"

class Config extends Context.Service<Config, { readonly url: string }>()("typetest/Config") {}

interface Connection {
  readonly id: number
}

declare const open: () => Promise<Connection>
declare const pool: PromisePool.PromisePool<Connection>
declare const signal: AbortSignal

describe("PromisePool.start", () => {
  test("infers the item from what opens it", () => {
    expect(PromisePool.start({ name: "p", open, size: { max: 1 } })).type.toBe<
      Promise<PromisePool.PromisePool<Connection>>
    >()
    expect(PromisePool.start({ name: "p", acquire: Effect.succeed(1), size: { max: 1 } }, { signal })).type.toBe<
      Promise<PromisePool.PromisePool<number>>
    >()
  })

  test("gives the functions the item", () => {
    void PromisePool.start({
      name: "p",
      open,
      close: (item) => expect(item).type.toBe<Connection>(),
      size: { max: 1 },
      check: {
        test: async (item, given) => {
          expect(item).type.toBe<Connection>()
          expect(given).type.toBe<AbortSignal>()
        }
      }
    })
    void PromisePool.start({
      name: "p",
      open,
      size: { max: 1 },
      check: { test: (item) => Promise.resolve(expect(item).type.toBe<Connection>()) }
    })
    void PromisePool.start({
      name: "p",
      acquire: Effect.succeed(1),
      size: { max: 1 },
      check: { test: (item) => Effect.succeed(expect(item).type.toBe<number>()) }
    })
  })

  test("accepts undefined for whatever is optional", () => {
    expect(PromisePool.start<Connection>).type.toBeCallableWith({
      name: "p",
      open,
      close: undefined,
      size: { min: undefined, max: 1, keep: undefined },
      start: undefined,
      wait: { codel: undefined, timeout: undefined },
      check: { test: undefined, timeout: undefined }
    })
  })

  test("refuses an effect that needs something, options that do not exist, and nothing to open with", () => {
    const needy = Effect.as(Config, 1)
    expect(PromisePool.start).type.not.toBeCallableWith({ name: "p", acquire: needy, size: { max: 1 } })
    expect(PromisePool.start).type.not.toBeCallableWith({ name: "p", open, size: { max: 1, maxx: 1 } })
    expect(PromisePool.start).type.not.toBeCallableWith({ name: "p", size: { max: 1 } })
    expect<Effect.Effect<number, never, Scope.Scope>>().type.toBeAssignableTo<
      Pool.Options<number, unknown, never>["acquire"]
    >()
  })
})

describe("a PromisePool", () => {
  test("gives what the work gives, a promise or not", () => {
    expect(pool.run(({ id }) => id)).type.toBe<Promise<number>>()
    expect(pool.run(async ({ id }, given) => given.aborted ? undefined : `${id}`)).type.toBe<
      Promise<string | undefined>
    >()
    expect(pool.run).type.not.toBeCallableWith((item: string) => item)
    expect(pool.run).type.not.toBeCallableWith(() => 1, { timeuot: 1 })
  })

  test("lends for a scope of the language", () => {
    expect(pool.acquire({ signal, priority: 1, key: "tenant" })).type.toBe<Promise<PromisePool.Lease<Connection>>>()
    expect<PromisePool.Lease<Connection>>().type.toBeAssignableTo<AsyncDisposable>()
    expect<PromisePool.PromisePool<Connection>>().type.toBeAssignableTo<AsyncDisposable>()
  })

  test("shows what happens", () => {
    expect(pool.stats()).type.toBe<Pool.Stats>()
    expect(pool.events).type.toBe<AsyncIterable<PoolEvent>>()
    expect(pool.close({ deadline: "1 second", signal })).type.toBe<Promise<Pool.DrainReport>>()
  })
})
