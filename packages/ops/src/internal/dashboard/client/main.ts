/** The page: hears what the service says, remembers the last minutes, and shows them. */
import { connect, type Refusal } from "./connection.ts"
import { type Parts, partsOf, setAttribute, setHidden, setText } from "./dom.ts"
import { empty, type Model, withHappenings, withStats } from "./model.ts"
import * as Render from "./render.ts"
import type { Message } from "./sse.ts"
import { type Link, statusOf } from "./status.ts"
import { stored } from "./storage.ts"
import * as Theme from "./theme.ts"
import { eventsOf, type PageView, viewOf } from "./view.ts"
import type { Happenings, Stats } from "./wire.ts"

/** Screen readers hear of a change at most this often. */
const ANNOUNCE_EVERY = 5_000

const token = stored("sessionStorage", "breakwater.token")

const refusals: Record<Refusal, string> = {
  token: "This service shows its pools to those who have its token. It stays in this tab, and goes when you close it.",
  place: "This service shows its pools to requests from its own machine only, unless it is given a token for them."
}

/** Folds a message into the model. The service is of the same version as this page, which it serves. */
const heard = (model: Model, { data, event }: Message): Model => {
  if (event === "stats") {
    const stats: Stats = JSON.parse(data)
    return withStats(model, stats)
  }
  if (event === "events") {
    const { dropped, events }: Happenings = JSON.parse(data)
    return withHappenings(model, events, dropped)
  }
  return model
}

/** Tells screen readers what is new of the headline, and not more often than anybody can listen. */
const announcer = (node: HTMLElement) => {
  let last = -ANNOUNCE_EVERY
  return ({ detail, headline, tone }: PageView) => {
    const text = tone === "calm" ? headline : `${headline}. ${detail}`
    const now = performance.now()
    if (now - last < ANNOUNCE_EVERY || node.dataset["headline"] === headline) return
    last = now
    node.dataset["headline"] = headline
    setText(node, text)
  }
}

/** Options of the filter, one a backend. */
const showBackendOptions = (select: HTMLSelectElement, labels: ReadonlyArray<string>) => {
  const there = [...select.options].slice(1).map(({ value }) => value)
  if (there.join("\n") === labels.join("\n")) return
  const chosen = select.value
  while (select.options.length > 1) select.remove(1)
  for (const label of labels) select.add(new Option(label, label))
  select.value = labels.includes(chosen) ? chosen : ""
}

class Page {
  model: Model = empty
  link: Link = "connecting"
  lastWord: number | undefined
  pausedAt: number | undefined
  awaitingFrame = false
  headline = ""
  stop: () => void = () => undefined
  readonly parts: Parts
  readonly showPage: (view: PageView) => void
  readonly showEvents: ReturnType<typeof Render.events>
  readonly announce: (view: PageView) => void

  constructor(parts: Parts) {
    this.parts = parts
    this.showPage = Render.page(parts)
    this.showEvents = Render.events(parts)
    this.announce = announcer(parts.get("announcer"))
  }

  /** Opens the stream, the old one ended. */
  open() {
    this.stop()
    this.stop = connect(`${location.pathname.replace(/\/$/, "")}/stream`, {
      token: token.get,
      onLink: (link) => {
        this.link = link
        this.showStatus()
      },
      onRefused: (refusal) => this.refused(refusal),
      onMessage: (message) => {
        this.model = heard(this.model, message)
        this.lastWord = performance.now()
        this.showSoon()
      }
    })
  }

  /** Once a frame, however much is heard; not at all while nobody looks. */
  showSoon() {
    if (this.awaitingFrame) return
    this.awaitingFrame = true
    requestAnimationFrame(() => {
      this.awaitingFrame = false
      this.show()
    })
  }

  show() {
    if (document.hidden || this.pausedAt !== undefined || this.link === "refused") return
    const { get } = this.parts
    const view = viewOf(this.model)
    if (view === undefined) return
    setHidden(get("gate"), true)
    setHidden(get("content"), false)
    setHidden(get("pause"), false)
    setHidden(get("forget"), token.get() === undefined)
    this.headline = view.headline
    this.showPage(view)
    this.announce(view)
    this.showTold()
    this.showStatus()
  }

  showTold() {
    const select = get(this.parts, "events-backend", HTMLSelectElement)
    showBackendOptions(select, [...this.model.backends.keys()])
    const trouble = get(this.parts, "events-trouble", HTMLInputElement).checked
    this.showEvents(eventsOf(this.model, { trouble, backend: select.value }), this.model.dropped)
  }

  /** How old is what is shown? */
  showStatus() {
    const { get } = this.parts
    const age = this.lastWord === undefined ? undefined : performance.now() - this.lastWord
    const phase = this.model.stats?.phase ?? null
    const status = statusOf({ link: this.link, age, pausedAt: this.pausedAt, phase })
    setAttribute(get("link"), "data-state", status.state)
    setText(get("link-text"), status.word)
    setAttribute(get("main"), "data-old", String(status.old))
    // What is old must not be read as what is.
    setText(get("headline-text"), status.old ? `Last heard: ${this.headline}` : this.headline)
    setHidden(get("banner"), status.banner === undefined)
    setText(get("banner"), status.banner ?? "")
  }

  /** Asks for a token, where one would help. */
  refused(refusal: Refusal) {
    const { get } = this.parts
    const wrong = token.get() !== undefined
    token.set(undefined)
    setHidden(get("content"), true)
    setHidden(get("gate"), false)
    for (const part of ["forget", "pause", "phases"]) setHidden(get(part), true)
    setText(get("gate-title"), refusal === "token" ? "A token, please" : "Not from here")
    setText(get("gate-text"), refusals[refusal])
    setHidden(get("gate-form"), refusal !== "token")
    setText(get("gate-error"), wrong ? "That was not the token." : "")
    if (refusal === "token") get("gate-token").focus()
  }
}

/** A part that is an element of a certain kind. */
const get = <A extends HTMLElement>(parts: Parts, name: string, kind: new() => A): A => {
  const found = parts.get(name)
  if (found instanceof kind) return found
  throw new Error(`part ${name} is of another kind`)
}

const listen = (page: Page, parts: Parts) => {
  Theme.button(parts.get("theme"))
  parts.get("gate-form").addEventListener("submit", (event) => {
    event.preventDefault()
    const input = get(parts, "gate-token", HTMLInputElement)
    token.set(input.value)
    input.value = ""
    page.open()
  })
  parts.get("forget").addEventListener("click", () => {
    token.set(undefined)
    location.reload()
  })
  parts.get("pause").addEventListener("click", () => {
    const pausing = page.pausedAt === undefined
    page.pausedAt = pausing ? page.model.stats?.at : undefined
    const paused = page.pausedAt !== undefined
    setAttribute(parts.get("pause"), "aria-pressed", String(paused))
    page.show()
    page.showStatus()
  })
  for (const part of ["events-trouble", "events-backend"]) {
    parts.get(part).addEventListener("change", () => page.showTold())
  }
  document.addEventListener("visibilitychange", () => page.show())
  setInterval(() => page.showStatus(), 500)
}

Theme.apply()
document.addEventListener("DOMContentLoaded", () => {
  const parts = partsOf(document.documentElement)
  const page = new Page(parts)
  listen(page, parts)
  page.open()
})
