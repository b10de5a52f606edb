/** A card for each backend: its pool, its policies, and its last minutes. */
import { copy, element, keyed, type Parts, setAttribute, setHidden, setText, setTone } from "./dom.ts"
import { anchorOf } from "./overview.ts"
import type { PlotView } from "./plots.ts"
import type { ChipView } from "./policies.ts"
import type { BackendView } from "./view.ts"

/** With more than so many connections they are too narrow to be shown one by one. */
const MOST_SLOTS = 50

const chips = (parent: Element) =>
  keyed(
    parent,
    ({ name }: ChipView) => name,
    ({ name }) => {
      const value = element("b", "", "")
      const root = element("li", "chip", "")
      root.append(element("span", "muted", name), value)
      return { root, value }
    },
    ({ root, value }, chip) => {
      setTone(root, chip.tone)
      setText(value, chip.value)
    }
  )

const plots = (parent: Element) =>
  keyed(
    parent,
    ({ title }: PlotView) => title,
    () => copy("plot"),
    ({ get, root }, view) => {
      setAttribute(root, "data-kind", view.kind)
      setText(get("title"), view.title)
      setText(get("high-now"), view.high)
      setText(get("low-now"), view.low)
      setText(get("scale"), view.scale)
      setAttribute(get("picture"), "aria-label", view.label)
      setAttribute(get("area"), "d", view.shapes.area)
      setAttribute(get("high"), "d", view.shapes.high)
      setAttribute(get("low"), "d", view.shapes.low)
    }
  )

interface Card extends Parts {
  readonly chips: (chips: ReadonlyArray<ChipView>) => void
  readonly plots: (plots: ReadonlyArray<PlotView>) => void
}

const make = ({ label }: BackendView): Card => {
  const parts = copy("backend-card")
  const id = anchorOf(label)
  parts.root.setAttribute("aria-labelledby", `${id}-title`)
  parts.root.id = id
  parts.get("name").id = `${id}-title`
  return { ...parts, chips: chips(parts.get("chips")), plots: plots(parts.get("plots")) }
}

const COUNTS = ["used", "opening", "idle", "max", "waiting"] as const

const updateBar = ({ get }: Card, view: BackendView) => {
  for (const part of ["used", "opening", "idle", "free"] as const) {
    get(`bar-${part}`).style.flexGrow = String(view.bar[part])
  }
  get("bar-waiting").style.width = `${(view.queue * 100).toFixed(1)}%`
  get("bar-ticks").style.setProperty("--slots", String(view.slots))
  setHidden(get("bar-ticks"), view.slots > MOST_SLOTS || view.slots < 2)
  setAttribute(get("pool"), "aria-label", view.barLabel)
}

const update = (card: Card, view: BackendView) => {
  const { get, root } = card
  setTone(root, view.tone)
  setText(get("name"), view.label)
  setText(get("about"), view.about)
  setTone(get("pill"), view.tone)
  setAttribute(get("mark"), "href", `#mark-${view.tone}`)
  setText(get("word"), view.word)
  setText(get("reason"), view.reason)
  for (const part of COUNTS) setText(get(part), view[part])
  setAttribute(get("waiting"), "data-some", String(view.waiting !== "0"))
  updateBar(card, view)
  setHidden(get("chips"), view.chips.length === 0)
  card.chips(view.chips)
  card.plots(view.plots)
  setHidden(get("last-error"), view.lastError === undefined)
  setText(get("last-error"), view.lastError === undefined ? "" : `Last error at ${view.lastError}`)
}

export const cards = (parent: Element): (backends: ReadonlyArray<BackendView>) => void =>
  keyed(parent, ({ label }: BackendView) => label, make, update)
