/**
 * Ports for servers that must keep theirs while they are down.
 *
 * They lie below the ranges that Linux (32768–60999) and macOS (49152–65535) give to outgoing connections: a port from
 * those ranges can go to any client while the server is away, even to one that is dialling that very port, which then
 * is connected to itself.
 */
import type * as Effect from "effect/Effect"
import * as Random from "effect/Random"

export const host = "127.0.0.1"

/** How many candidates are tried before giving up. */
export const attempts = 20

/** A port that may be free: only listening on it tells. */
export const candidate: Effect.Effect<number> = Random.nextIntBetween(20_000, 32_000)
