/**
 * Postgres refuses to run as root: then it runs as a user without rights, who must be able to reach its files.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Identity } from "./command.ts"

const candidates = ["postgres", "_postgres", "nobody", "daemon"]

/** Whom to run servers as; `undefined` for the user of this process. */
export const serverIdentity = (): Identity | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const users = new Map(
    Fs.readFileSync("/etc/passwd", "utf8").split("\n").map((line) => {
      const [name = "", , uid, gid] = line.split(":")
      return [name, { uid: Number(uid), gid: Number(gid) }] as const
    })
  )
  for (const name of candidates) {
    const user = users.get(name)
    if (user !== undefined && user.uid > 0) return user
  }
  return undefined
}

/** Whether this user can read what lies at the path: every folder above it must let them through. */
export const canReach = (identity: Identity | undefined, path: string): boolean => {
  if (identity === undefined) return Fs.existsSync(path)
  try {
    const real = Fs.realpathSync(path)
    for (let at = real;; at = Path.dirname(at)) {
      if (!mayEnter(identity, Fs.statSync(at))) return false
      if (at === Path.dirname(at)) return true
    }
  } catch {
    return false
  }
}

const mayEnter = ({ gid, uid }: Identity, stat: Fs.Stats) => {
  const shift = stat.uid === uid ? 6 : stat.gid === gid ? 3 : 0
  return ((stat.mode >> shift) & 0o1) === 0o1
}
