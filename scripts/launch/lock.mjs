/** A lock among processes: two launches on a fresh clone must not install at once. */
import * as fs from "node:fs"
import * as os from "node:os"
import { isAlive, pause } from "./processes.mjs"
import { LaunchError, say } from "./report.mjs"

const LOCK_STALE_MS = 60_000

const readLock = (lockFile) => {
  try {
    const age = Date.now() - fs.statSync(lockFile).mtimeMs
    const [pid, host] = fs.readFileSync(lockFile, "utf8").split("\n")
    // The holder renews the file's time, so that a pid used again, or one of another container, cannot hold it for ever.
    const stale = age > LOCK_STALE_MS || (host === os.hostname() && !isAlive(Number(pid)))
    return { pid, stale }
  } catch {
    return undefined
  }
}

const tryLock = (lockFile) => {
  const own = `${lockFile}.${process.pid}`
  fs.writeFileSync(own, `${process.pid}\n${os.hostname()}\n`)
  try {
    // A link appears with its content in one step; creating and then writing would show others an empty file.
    fs.linkSync(own, lockFile)
    return true
  } catch (error) {
    if (error.code !== "EEXIST") throw error
    return false
  } finally {
    fs.rmSync(own, { force: true })
  }
}

/** Removes a stale lock, and only that one: another launch may have replaced it since it was read. */
const breakLock = (lockFile, holder) => {
  const taken = `${lockFile}.stale.${process.pid}`
  try {
    fs.renameSync(lockFile, taken)
    if (!fs.readFileSync(taken, "utf8").startsWith(`${holder.pid}\n`)) fs.linkSync(taken, lockFile)
  } catch {
    // Somebody else removed it first, or has the lock again: the next attempt finds out.
  }
  fs.rmSync(taken, { force: true })
}

const renewLock = (lockFile) => {
  try {
    fs.utimesSync(lockFile, new Date(), new Date())
  } catch {
    // Removed by hand: whoever did that wants the next launch to go ahead.
  }
}

/** Runs the body while no other process does; waits for one that is at it, for a bounded time. */
export const withLock = async (lockFile, waitMs, body) => {
  const deadline = Date.now() + waitMs
  let told = false
  while (!tryLock(lockFile)) {
    const holder = readLock(lockFile)
    if (holder?.stale) {
      breakLock(lockFile, holder)
    } else {
      if (!told && holder !== undefined) say(`waiting for the set-up that process ${holder.pid} is doing`)
      told = true
      if (Date.now() > deadline) {
        throw new LaunchError(`Another set-up did not finish. If none is running, remove ${lockFile}.`)
      }
      await pause(250)
    }
  }
  const renew = setInterval(renewLock, 5_000, lockFile)
  try {
    return await body()
  } finally {
    clearInterval(renew)
    fs.rmSync(lockFile, { force: true })
  }
}
