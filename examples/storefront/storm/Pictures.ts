/** Pictures of the dashboard, taken while the storefront goes through its storm: for the documents, and to be looked at. */
import { Chromium } from "@breakwater/testing"
import { Data, Duration, Effect } from "effect"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { type Browser, chromium, type Page } from "playwright-core"
import type { Fault } from "./Faults.ts"

export class NoPictures extends Data.TaggedError("NoPictures")<{ readonly message: string }> {}

const DESKTOP = { width: 1280, height: 860 }
const PHONE = { width: 390, height: 844 }

/** Late enough in a fault that the page has heard of it, which it does every second. */
const LATE = 0.85

/** A watcher that has vanished is found out only when it owes the answer to a ping, in milliseconds. */
const TOLD_WITHIN = 5000

type Look = "light" | "dark" | "phone"

/** Faults during which the page is also shown whole, in the dark, or on a phone. */
const looks: Readonly<Record<string, Look>> = {
  "postgres.blackhole": "light",
  "http.refused": "dark",
  "redis.kill+http.refused": "phone"
}

const attempt = <A>(work: () => Promise<A>) =>
  Effect.tryPromise({ try: work, catch: (error) => new NoPictures({ message: String(error) }) }).pipe(
    Effect.timeoutOrElse({
      duration: "20 seconds",
      orElse: () => Effect.fail(new NoPictures({ message: "the browser does not answer" }))
    })
  )

const launch = Effect.gen(function*() {
  const found = yield* Chromium.find
  if ("why" in found) return yield* new NoPictures({ message: `There is no browser for pictures: ${found.why}` })
  return yield* Effect.acquireRelease(
    attempt(() => chromium.launch({ executablePath: found.program, args: ["--no-sandbox"] })),
    (browser: Browser) => Effect.ignore(attempt(() => browser.close()))
  )
})

/** Opens the dashboard of a service, whose every minute then counts. */
export const make = Effect.fnUntraced(function*(url: string, folder: string) {
  mkdirSync(folder, { recursive: true })
  const browser = yield* launch
  const page: Page = yield* attempt(() => browser.newPage({ viewport: DESKTOP, reducedMotion: "reduce" }))
  yield* attempt(() => page.goto(`${url}/pools`))
  yield* attempt(() => page.getByRole("article").first().waitFor())
  const shoot = (name: string, fullPage: boolean) =>
    attempt(() => page.screenshot({ path: join(folder, `dashboard-${name}.png`), fullPage }))
  const dress = (look: Look) =>
    Effect.andThen(
      attempt(() => page.emulateMedia({ colorScheme: look === "dark" ? "dark" : "light" })),
      attempt(() => page.setViewportSize(look === "phone" ? PHONE : DESKTOP))
    )
  // Whatever becomes of it, the page must be as it was for the next.
  const portrait = (look: Look) =>
    Effect.ensuring(Effect.andThen(dress(look), shoot(look, look !== "phone")), Effect.ignore(dress("light")))
  const told = attempt(() =>
    page.locator("[data-part=headline]:not([data-tone=calm])").waitFor({ timeout: TOLD_WITHIN })
  )
  let taken = 0
  return {
    /**
     * After most of a fault, once the page tells of it. A picture that could not be taken is told, and is no fault of
     * the storm's.
     */
    during: ({ name }: Fault, lasts: Duration.Duration) =>
      Effect.gen(function*() {
        yield* Effect.sleep(Duration.times(lasts, LATE))
        yield* Effect.ignore(told)
        taken++
        yield* shoot(`storm-${String(taken).padStart(2, "0")}-${name.replaceAll(/\W+/g, "-")}`, false)
        const look = looks[name]
        if (look !== undefined) yield* portrait(look)
      }).pipe(
        Effect.catch(({ message }) => Effect.sync(() => console.error(`No picture of ${name}: ${message}`)))
      )
  }
})

export type Pictures = Effect.Success<ReturnType<typeof make>>
