/**
 * A server of our own: a folder, a free port, and a process over both that may be killed and started again.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Identity } from "./command.ts"
import * as Controls from "./controls.ts"
import * as Folder from "./folder.ts"
import type { Errors } from "./serverErrors.ts"
import * as ServerProcess from "./serverProcess.ts"

export interface Options<E> extends Pick<ServerProcess.Options<E>, "secret" | "signals"> {
  readonly kind: string
  /** Whom it runs as, where not as the user of this process. */
  readonly identity?: Identity | undefined
  readonly errors: Errors<E>
  /** Fills the folder before the first start. */
  readonly prepare: (folder: string) => Effect.Effect<void, E>
  /** Must name `Folder.dataFolder`: by it the watchdog finds the server. */
  readonly command: (folder: string, port: number) => ServerProcess.Options<E>["command"]
  /** Succeeds as soon as the server accepts. */
  readonly probe: (port: number) => Effect.Effect<unknown, E>
}

/** Starts it; process and folder go with the scope. */
export const make = Effect.fnUntraced(function*<E extends Error>(
  options: Options<E>
): Effect.fn.Return<{ readonly port: number; readonly controls: Controls.Controls<E> }, E, Scope.Scope> {
  const { errors, identity, secret, signals } = options
  const folder = yield* Folder.make({
    kind: options.kind,
    identity,
    failed: (detail) => errors.startFailed("folder", detail)
  })
  yield* options.prepare(folder)
  const failed = (detail: string) => errors.startFailed("start", detail)
  return yield* Controls.make({
    start: (port) =>
      ServerProcess.start({
        command: options.command(folder, port),
        folder,
        identity,
        secret,
        signals,
        probe: options.probe(port),
        failed
      }),
    notRunning: errors.notRunning,
    failed
  })
})
