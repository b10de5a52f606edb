/** The table of all backends: how each is, and how it was in the last minutes. */
import { copy, keyed, type Parts, setAttribute, setText, setTone, shape } from "./dom.ts"
import type { Run } from "./plot.ts"
import { WIDTH } from "./plots.ts"
import type { BackendView, PageView } from "./view.ts"

type Strip = (runs: ReadonlyArray<Run>, from: number, to: number) => void

/** Of 10: for those who do not see the colours, and so that calm looks calm. */
const heights: Record<Run["tone"], number> = { calm: 2, strained: 6, failing: 10 }

const makeStrip = (parent: Element): Strip => {
  let edges = { from: 0, to: 1 }
  const place = (at: number) => Math.max(0, ((at - edges.from) / (edges.to - edges.from)) * WIDTH)
  const show = keyed(
    parent,
    ({ from }: Run) => String(from),
    () => ({ root: shape("rect") }),
    ({ root }, { from, to, tone }) => {
      setAttribute(root, "x", place(from).toFixed(2))
      setAttribute(root, "width", Math.max(0, place(to) - place(from)).toFixed(2))
      setAttribute(root, "y", String(10 - heights[tone]))
      setAttribute(root, "height", String(heights[tone]))
      setTone(root, tone)
    }
  )
  return (runs, from, to) => {
    edges = { from, to }
    show(runs)
  }
}

interface Row extends Parts {
  readonly strip: Strip
}

const update = ({ get, root, strip }: Row, view: BackendView, from: number, to: number) => {
  setTone(root, view.tone)
  setText(get("name"), view.label)
  setAttribute(get("name"), "href", `#${anchorOf(view.label)}`)
  setText(get("kind"), view.kind)
  setTone(get("pill"), view.tone)
  setAttribute(get("mark"), "href", `#mark-${view.tone}`)
  setText(get("word"), view.word)
  setText(get("used"), view.used)
  setText(get("max"), ` / ${view.max}`)
  setText(get("waiting"), view.waiting)
  setAttribute(get("waiting"), "data-some", String(view.waiting !== "0"))
  setText(get("wait"), view.wait)
  setText(get("breaker"), view.breaker?.value ?? "none")
  setTone(get("breaker"), view.breaker?.tone ?? "none")
  setAttribute(get("strip"), "aria-label", view.runsLabel)
  strip(view.runs, from, to)
}

/** The id of a backend's card. */
export const anchorOf = (label: string): string => `backend-${encodeURIComponent(label)}`

export const overview = (parent: Element): (view: PageView) => void => {
  let edges = { from: 0, to: 1 }
  const show = keyed(
    parent,
    ({ label }: BackendView) => label,
    (): Row => {
      const parts = copy("overview-row")
      return { ...parts, strip: makeStrip(parts.get("strip")) }
    },
    (row, view) => update(row, view, edges.from, edges.to)
  )
  return ({ backends, from, to }) => {
    edges = { from, to }
    show(backends)
  }
}
