/**
 * Timers for sockets' callbacks, on the clock of the fiber that made their server: under a `TestClock` they run when the
 * test says so.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Net from "node:net"

/** Runs `f` after a time in milliseconds, never for `Infinity`; returns how to call it off. */
export type Timer = (millis: number, f: () => void) => () => void

export const make = (clock: Clock.Clock): Timer => (millis, f) => {
  if (millis === Infinity) return () => {}
  const sleeping = Effect.andThen(Effect.sleep(millis), Effect.sync(f))
  const fiber = Effect.runFork(Effect.provideService(sleeping, Clock.Clock, clock))
  return () => fiber.interruptUnsafe()
}

/** Milliseconds of a clock, which only count forward. */
export const now = (clock: Clock.Clock) => (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

/** Timers of a socket, which run at once for 0: those that are set when it closes never do. */
export const ofSocket = (socket: Net.Socket, timer: Timer): (millis: number, f: () => void) => void => {
  const set = new Set<() => void>()
  socket.once("close", () => {
    for (const cancel of set) cancel()
  })
  return (millis, f) => {
    if (millis <= 0) return f()
    const cancel = timer(millis, () => {
      set.delete(cancel)
      f()
    })
    set.add(cancel)
  }
}
