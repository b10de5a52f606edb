/// <reference lib="dom" />
/** The dashboard as people have it: its page, from its real endpoints, in a real browser. */
import * as Chromium from "@breakwater/testing/Chromium"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core"
import { vi } from "vitest"
import { count, durationOrNone } from "../../src/internal/dashboard/client/format.ts"
import type { Stats } from "../../src/internal/dashboard/client/wire.ts"
import { HOSTILE, open } from "../dashboard/shop.ts"

/** Finding one may install it. */
const FIND_LIMIT = 300_000
const PATIENCE = { timeout: 15_000, interval: 100 }

const onNode = !("Bun" in globalThis) && !("Deno" in globalThis)

const found: Chromium.Found = onNode
  ? await Effect.runPromise(Chromium.find)
  : { why: "a browser is driven on Node only" }

if ("why" in found) process.stdout.write(`[skipped] the dashboard in a browser: ${found.why}\n`)

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

/** What is wrong for people with a screen reader, bad eyes or no mouse, as far as a program can see it. */
const violations = async (page: Page): Promise<ReadonlyArray<string>> => {
  await page.evaluate(axe)
  return page.evaluate<Array<string>>(
    "axe.run(document).then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ': ' + n.html)))"
  )
}

/** The numbers of every backend as the page shows them, by label. */
const shownBy = (page: Page): Promise<Record<string, Record<string, string>>> =>
  page.evaluate(() => {
    const text = (root: Element, part: string) => root.querySelector(`[data-part=${part}]`)?.textContent ?? "missing"
    const rows = [...document.querySelectorAll("table.overview tbody tr")]
    return Object.fromEntries(rows.map((row) => {
      const label = text(row, "name")
      const card = document.getElementById(`backend-${encodeURIComponent(label)}`) ?? row
      const inRow = ["used", "max", "waiting", "wait", "breaker"].map((part) => [`row ${part}`, text(row, part)])
      const inCard = ["used", "opening", "idle", "max", "waiting"].map((part) => [part, text(card, part)])
      return [label, Object.fromEntries([...inRow, ...inCard])]
    }))
  })

/** The same of `/stats`. */
const expectedOf = ({ backends }: Stats) =>
  Object.fromEntries(
    Object.entries(backends).map(([label, { policy, pool, times }]) => [label, {
      "row used": count(pool.used),
      "row max": ` / ${count(pool.max)}`,
      "row waiting": count(pool.waiting),
      "row wait": durationOrNone(times.wait?.p95 ?? null),
      "row breaker": policy.circuit?.state ?? "none",
      used: count(pool.used),
      opening: count(pool.opening + pool.checking + pool.closing),
      idle: count(pool.idle),
      max: count(pool.max),
      waiting: count(pool.waiting)
    }])
  )

describe.skipIf("why" in found)("The dashboard in a browser", () => {
  let browser: Browser
  let shop: Awaited<ReturnType<typeof open>>
  let server: Awaited<ReturnType<typeof serve>>

  const serve = (port = 0, token?: Redacted.Redacted) => shop.run(shop.serve({ port, token }))

  beforeAll(async () => {
    if ("why" in found) return
    browser = await chromium.launch({ executablePath: found.program, args: ["--no-sandbox"] })
    shop = await open()
    server = await serve()
  }, FIND_LIMIT)

  afterAll(async () => {
    await browser?.close()
    await shop?.close()
  })

  const visit = async (url: string, options: Parameters<Browser["newContext"]>[0] = {}) => {
    const context: BrowserContext = await browser.newContext({ reducedMotion: "reduce", ...options })
    const page = await context.newPage()
    const complaints: Array<string> = []
    const requests: Array<string> = []
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()))
    page.on("pageerror", (error) => complaints.push(error.message))
    page.on("request", (request) => requests.push(request.url()))
    await page.goto(`${url}/pools`)
    return { page, complaints, requests, end: () => context.close() }
  }

  const headline = (page: Page) => page.getByRole("heading", { level: 2 }).first().textContent()

  const settled = (page: Page, wanted: string | RegExp) =>
    vi.waitFor(async () => assert.match((await headline(page)) ?? "", new RegExp(wanted)), PATIENCE)

  it("is calm, then shows a fault with the numbers of /stats, and nothing it is told becomes markup", async () => {
    const { complaints, end, page, requests } = await visit(server.url)
    await settled(page, "^All 3 backends are calm$")
    assert.strictEqual(await page.locator("[aria-current=step]").textContent(), "Ready")

    await shop.run(shop.fail)
    await settled(page, "^cache is failing$|^orders and cache are failing$")
    await vi.waitFor(async () => {
      const [shown, stats] = [await shownBy(page), await shop.run(shop.stats(server.url))]
      assert.deepStrictEqual(shown, expectedOf(stats))
    }, PATIENCE)
    const { backends } = await shop.run(shop.stats(server.url))
    assert.deepStrictEqual([backends["orders"]?.pool.used, backends["orders"]?.pool.waiting], [4, 3])
    assert.strictEqual(backends["cache"]?.policy.circuit?.state, "open")

    const events = page.getByRole("region", { name: "List of events" })
    assert.include(await events.textContent(), "closed → open")
    const holders = page.getByRole("table", { name: "Who holds a connection the longest" })
    assert.include(await holders.textContent(), HOSTILE)
    assert.include(await page.locator("#backend-cache .last-error").textContent(), HOSTILE)
    assert.strictEqual(await page.locator("img").count(), 0)
    assert.isUndefined(await page.evaluate(() => Reflect.get(globalThis, "pwned")))
    assert.deepStrictEqual(requests, [`${server.url}/pools`, `${server.url}/pools/stream`])
    assert.deepStrictEqual(complaints, [])
    await end()
  })

  it.each(["light", "dark"] as const)("can be read and used by everybody, in %s", async (colorScheme) => {
    const { end, page } = await visit(server.url, { colorScheme })
    await settled(page, "failing")
    assert.deepStrictEqual(await violations(page), [])
    await page.keyboard.press("Tab")
    assert.strictEqual(await page.evaluate(() => document.activeElement?.textContent), "Skip to the overview")
    await page.getByRole("button", { name: "Pause" }).press("Enter")
    assert.match((await headline(page)) ?? "", /^Last heard: /)
    assert.include(await page.locator("[data-part=banner]").textContent(), "Paused")
    await page.getByRole("button", { name: "Theme" }).press("Enter")
    await page.getByRole("button", { name: "Theme" }).press("Enter")
    assert.strictEqual(await page.evaluate(() => document.documentElement.dataset["theme"]), "dark")
    await end()
  })

  it("fits a phone, and its table stays one for a screen reader", async () => {
    const { end, page } = await visit(server.url, { viewport: { width: 390, height: 844 } })
    await settled(page, "failing")
    assert.strictEqual(await page.evaluate(() => document.documentElement.scrollWidth), 390)
    const row = page.getByRole("row", { name: /^orders/ })
    assert.strictEqual(await row.getByRole("rowheader").count(), 1)
    assert.strictEqual(await row.getByRole("cell").count(), 6)
    await end()
  })

  it("says that it is old when the stream breaks, and lives again when the service is back", async () => {
    const first = await serve()
    const { end, page } = await visit(first.url)
    await settled(page, "^cache")
    await shop.run(first.close)
    await settled(page, "^Last heard: ")
    assert.include(await page.locator("[data-part=banner]").textContent(), "The connection to the service is lost")
    const second = await serve(first.port)
    await settled(page, "^cache")
    await vi.waitFor(async () => assert.isFalse(await page.locator("[data-part=banner]").isVisible()), PATIENCE)
    await shop.run(second.close)
    await end()
  })

  it("asks for the token that the service wants, and keeps it for this tab only", async () => {
    const token = "a-token-of-twenty-four-c"
    const guarded = await serve(0, Redacted.make(token))
    const { end, page, requests } = await visit(guarded.url)
    const field = page.getByRole("textbox", { name: "Token" })
    await field.fill("wrong")
    await field.press("Enter")
    await vi.waitFor(
      async () => assert.strictEqual(await page.getByRole("alert").textContent(), "That was not the token."),
      PATIENCE
    )
    assert.strictEqual(await page.locator("article").count(), 0)
    await field.fill(token)
    await field.press("Enter")
    await settled(page, "^cache")
    assert.isFalse(requests.some((url) => url.includes(token)))
    await page.reload()
    await settled(page, "^cache")
    await page.getByRole("button", { name: "Sign out" }).click()
    await field.waitFor()
    assert.isNull(await page.evaluate(() => sessionStorage.getItem("breakwater.token")))
    await shop.run(guarded.close)
    await end()
  })
})
