/**
 * Effect's own `persistence/Redis` over the same connections, for the modules of Effect that store things in Redis.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as EffectRedis from "effect/persistence/Redis"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { type Failure, type Parts, reserve, send, sendOn } from "./client.ts"
import { open } from "./subscription.ts"

const orRedisError = <A, R>(effect: Effect.Effect<A, Failure, R>): Effect.Effect<A, EffectRedis.RedisError, R> =>
  Effect.mapError(effect, (cause) => new EffectRedis.RedisError({ cause }))

/** The reserved connections that are idle are ours again after this time. */
const IDLE = "1 second"

export const make = (parts: Parts): Effect.Effect<EffectRedis.Redis["Service"], never, Scope.Scope> =>
  EffectRedis.make({
    send: <A>(command: string, ...args: ReadonlyArray<string>) =>
      orRedisError(send<A>(parts, "text", [command, ...args])),
    subscribe: (channel, onMessage) =>
      Effect.map(
        orRedisError(open(parts, [channel])),
        (queue) =>
          Effect.forever(Effect.map(Queue.take(queue), onMessage)).pipe(
            Effect.mapError((cause) => new EffectRedis.RedisError({ cause }))
          )
      ),
    connect: Effect.gen(function*() {
      const scope = yield* Scope.make()
      const connection = yield* orRedisError(Scope.provide(reserve(parts), scope)).pipe(
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
      )
      return {
        send: <A>(command: string, ...args: ReadonlyArray<string>) =>
          orRedisError(sendOn<A>(parts, connection, "text", [command, ...args])),
        close: Scope.close(scope, Exit.void)
      }
    }),
    pool: {
      maxConnections: parts.settings.max - parts.settings.shared,
      idleTimeout: IDLE,
      acquireTimeout: parts.settings.waitTimeout
    }
  })
