import { type Outcome, PolicyError } from "@breakwater/core"
import { RedisError, RedisOutcome } from "@breakwater/redis"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Exit, Redacted } from "effect"
import { inspect } from "node:util"
import { fromCommand, fromDial, NotSent } from "../src/internal/driverError.ts"

/** As ioredis' parser makes them, with what it attaches. */
const reply = (text: string): Error =>
  Object.assign(new Error(text), { name: "ReplyError", command: { name: "auth", args: ["hunter2"] } })

const owner = { name: "cache", server: { password: undefined } }

const outcomeOf = (error: unknown) => RedisOutcome.fromExit(Exit.fail(error))

describe("RedisOutcome", () => {
  const answers: ReadonlyArray<readonly [string, Partial<Outcome.Outcome>]> = [
    ["WRONGTYPE Operation against a key", { _tag: "Success" }],
    ["NOSCRIPT No matching script", { _tag: "Success" }],
    ["ERR value is not an integer", { _tag: "Success" }],
    ["MOVED 3999 127.0.0.1:6381", { _tag: "Success" }],
    ["LOADING Redis is loading the dataset in memory", { _tag: "Failure", sent: "no" }],
    ["READONLY You can't write against a read only replica.", { _tag: "Failure", sent: "no" }],
    ["CLUSTERDOWN The cluster is down", { _tag: "Failure", sent: "no" }],
    ["OOM command not allowed", { _tag: "Overload", sent: "no" }],
    ["BUSY Redis is busy running a script", { _tag: "Overload", sent: "no" }],
    ["ERR max number of clients reached", { _tag: "Overload", sent: "no" }]
  ]

  it.each(answers)("counts the answer %s, ours and ioredis' own alike", (text, expected) => {
    assert.include(outcomeOf(reply(text)), expected)
    assert.include(outcomeOf(fromCommand(owner, "get", reply(text))), expected)
  })

  it("knows of a lost connection whether the command was sent", () => {
    const lost = new Error("Connection is closed.")
    assert.include(outcomeOf(lost), { _tag: "Failure", sent: "unknown" })
    assert.include(outcomeOf(fromCommand(owner, "get", lost)), { _tag: "Failure", sent: "unknown" })
    assert.include(outcomeOf(fromCommand(owner, "get", new NotSent())), { _tag: "Failure", sent: "no" })
  })

  it("takes what is not of Redis for nobody's fault, and a defect for a failure", () => {
    assert.include(outcomeOf("mine"), { _tag: "Ignored" })
    assert.include(RedisOutcome.fromExit(Exit.die(new Error("bug"))), { _tag: "Failure" })
    assert.include(RedisOutcome.fromExit(Exit.interrupt(1)), { _tag: "Ignored" })
    assert.include(RedisOutcome.fromExit(Exit.succeed(1)), { _tag: "Success" })
  })

  it("passes on what an error says of itself", () => {
    const timeout = new PolicyError.PolicyError({
      _tag: "AttemptTimeout",
      operation: "cache.get",
      timeout: Duration.seconds(1),
      attempt: 1,
      sent: "unknown"
    })
    assert.deepStrictEqual(outcomeOf(timeout), timeout.outcome)
  })
})

describe("RedisError", () => {
  it("keeps the text of the server and nothing of what was sent", () => {
    const error = fromCommand(owner, "auth", reply("WRONGPASS invalid username-password pair"))
    assert.strictEqual(
      error.message,
      "Redis \"cache\" answered to AUTH: WRONGPASS invalid username-password pair"
    )
    assert.notInclude(inspect(error, { depth: 10, showHidden: true }), "hunter2")
  })

  it("says of an answer of a cluster what it means", () => {
    assert.include(fromCommand(owner, "get", reply("MOVED 1 h:1")).message, "a node of a cluster")
  })

  it("reads the error of a server that speaks before it is asked", () => {
    const error = fromDial(owner, new Error("Command queue state error. Last error: ERR max number of clients reached"))
    assert.include(error.reason, { _tag: "ErrorReply", code: "ERR", text: "ERR max number of clients reached" })
  })

  it("leaves out the password that an old server repeats", () => {
    const server = { password: Redacted.make("hunter2") }
    const text = "ERR unknown command `HELLO`, with args beginning with: `3` `AUTH` `default` `hunter2` "
    const error = fromDial({ name: "cache", server }, reply(text))
    assert.include(error.message, "`<redacted>`")
    assert.notInclude(inspect(error, { depth: 10, showHidden: true }), "hunter2")
  })

  it("is told from others", () => {
    assert.isTrue(RedisError.isRedisError(fromCommand(owner, "get", new NotSent())))
    assert.isFalse(RedisError.isRedisError(new Error("x")))
  })
})
