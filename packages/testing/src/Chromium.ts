/**
 * A real Chromium for tests of pages: one that is on this machine, or Debian's package, installed on the spot.
 *
 * It is only found here. A driver such as `playwright-core` starts it, with `--no-sandbox` where that runs as root.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Programs from "./internal/programs.ts"

/**
 * The browser's program, or why there is none.
 *
 * @since 0.1.0
 * @category models
 */
export type Found = { readonly program: string } | { readonly why: string }

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"]

const folders = ["/usr/bin", "/usr/local/bin", "/snap/bin", "/Applications/Google Chrome.app/Contents/MacOS"]

const onMachine: Effect.Effect<Found> = Effect.sync(() => {
  const [program] = [...names, "Google Chrome"].flatMap((name) => Programs.find(name, folders) ?? [])
  return program === undefined ? { why: "no chromium on PATH or in the usual folders" } : { program }
})

const byApt: Effect.Effect<Found> = Programs.installed({
  kind: "chromium",
  package: "chromium",
  // It comes with no service that would start.
  without: (install) => install,
  find: onMachine
})

/**
 * Finds one: the program that `BREAKWATER_TEST_CHROMIUM` names, the one on this machine, or, as root on Debian, its
 * package, which may take some minutes to install and at most ten. Never fails: a test that finds none says so and is
 * skipped.
 *
 * @since 0.1.0
 * @category constructors
 */
export const find: Effect.Effect<Found> = Effect.gen(function*() {
  const given = yield* Config.option(Config.String("BREAKWATER_TEST_CHROMIUM")).pipe(
    Effect.orDie // an optional variable of any content can't fail
  )
  if (Option.isSome(given)) {
    return Programs.isExecutable(given.value)
      ? { program: given.value }
      : { why: `BREAKWATER_TEST_CHROMIUM is ${given.value}, which cannot be run` }
  }
  const found = yield* onMachine
  return "program" in found ? found : yield* byApt
})
