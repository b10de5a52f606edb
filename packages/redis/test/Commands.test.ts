import { assert, describe, it } from "@effect/vitest"
import { blocksFor, effectOf, isIdempotent } from "../src/internal/commands.ts"

describe("A command", () => {
  it.each([
    ["get", ["k"]],
    ["mget", ["a", "b"]],
    ["set", ["k", "v"]],
    ["set", ["k", "nx"]],
    ["set", ["k", "v", "EX", 10]],
    ["del", ["k"]],
    ["hset", ["k", "incr", "nx"]],
    ["zadd", ["k", 1, "m"]],
    ["script", ["LOAD", "return 1"]]
  ])("may be repeated: %s %j", (command, args) => assert.isTrue(isIdempotent(command, args)))

  it.each([
    ["incr", ["k"]],
    ["set", ["k", "v", "NX"]],
    ["set", ["k", "v", "get"]],
    ["zadd", ["k", "INCR", 1, "m"]],
    ["lpush", ["k", "v"]],
    ["publish", ["c", "m"]],
    ["eval", ["return 1", 0]],
    ["getdel", ["k"]],
    ["spop", ["k"]],
    ["unheard", []]
  ])("may not: %s %j", (command, args) => assert.isFalse(isIdempotent(command, args)))

  it("blocks for the time that it says, in milliseconds", () => {
    assert.strictEqual(blocksFor("blpop", ["a", "b", 2]), 2000)
    assert.strictEqual(blocksFor("blmpop", ["0.5", 1, "a", "LEFT"]), 500)
    assert.strictEqual(blocksFor("xread", ["COUNT", 1, "BLOCK", 300, "STREAMS", "s", "$"]), 300)
    assert.strictEqual(blocksFor("wait", [1, 100]), 100)
    assert.strictEqual(blocksFor("brpop", ["a", 0]), 0)
    assert.isUndefined(blocksFor("xread", ["STREAMS", "s", "0"]))
    assert.isUndefined(blocksFor("get", ["constructor"]))
  })

  it("does to its connection what others would feel", () => {
    assert.strictEqual(effectOf("get", ["k"]), "none")
    assert.strictEqual(effectOf("exec", []), "transaction")
    assert.strictEqual(effectOf("watch", ["k"]), "watching")
    assert.strictEqual(effectOf("select", ["1"]), "lasting")
    assert.strictEqual(effectOf("client", ["REPLY", "OFF"]), "lasting")
    assert.strictEqual(effectOf("client", ["LIST"]), "none")
  })
})
