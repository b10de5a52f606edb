import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { canReach } from "../../src/internal/identity.ts"

const stranger = { uid: 60_001, gid: 60_001 }

const nested = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => Fs.mkdtempSync(Path.join(Fs.realpathSync(Os.tmpdir()), "breakwater-reach-"))),
    (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true }))
  ),
  (folder) => {
    const inner = Path.join(folder, "inner")
    Fs.mkdirSync(inner, { mode: 0o755 })
    return { folder, inner }
  }
)

describe("canReach", () => {
  it.effect("says no to a stranger when a folder above is closed to others, yes when all are open", () =>
    Effect.gen(function*() {
      const { folder, inner } = yield* nested
      Fs.chmodSync(folder, 0o700)
      assert.isFalse(canReach(stranger, inner))
      Fs.chmodSync(folder, 0o755)
      assert.isTrue(canReach(stranger, inner))
    }))

  it.effect("goes by the owner's rights for the owner", () =>
    Effect.gen(function*() {
      const { folder, inner } = yield* nested
      const { gid, uid } = Fs.statSync(folder)
      Fs.chmodSync(folder, 0o700)
      assert.isTrue(canReach({ uid, gid }, inner))
    }))

  it.effect("says no to what does not exist", () =>
    Effect.sync(() => {
      assert.isFalse(canReach(stranger, "/nowhere/at/all"))
      assert.isFalse(canReach(undefined, "/nowhere/at/all"))
    }))
})
