/** Process groups and signals. */

const SAME_SIGNAL_MS = 500

/** Thrown after a signal, so that clean-up runs before the process dies of it. */
export class Interrupted extends Error {
  constructor(signal) {
    super(`interrupted by ${signal}`)
    this.signal = signal
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

export const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === "EPERM"
  }
}

export const signalGroup = (pid, signal) => {
  try {
    process.kill(-pid, signal)
  } catch {
    // The group is gone already, which is what the signal was for.
  }
}

export const isGroupAlive = (group) => isAlive(-group)

/** Calls the handler once for the copies of one signal that arrive together (terminal, npm, `timeout`). */
export const onSignals = (handler) => {
  const last = new Map()
  const listeners = ["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => {
    const listener = () => {
      const now = Date.now()
      if (now - (last.get(signal) ?? 0) > SAME_SIGNAL_MS) handler(signal)
      last.set(signal, now)
    }
    process.on(signal, listener)
    return [signal, listener]
  })
  return () => listeners.forEach(([signal, listener]) => process.off(signal, listener))
}

/** Calls the handler once npm is gone: killed outright, it tells nobody. */
export const onOrphaned = (handler) => {
  // Run by hand, a shell that ends first is no reason to stop.
  if (process.env.npm_lifecycle_event === undefined) return
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    handler()
  }, 500)
  watch.unref()
}

/** Ends this process as the signal would have, had it not been handled. */
export const dieOf = (signal) => {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}
