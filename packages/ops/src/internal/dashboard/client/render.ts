/** Puts what is to be shown into the page. */
import { cards } from "./cards.ts"
import { copy, element, keyed, type Parts, setAttribute, setHidden, setText, setTone } from "./dom.ts"
import { timeOfDay } from "./format.ts"
import type { Told } from "./happenings.ts"
import { overview } from "./overview.ts"
import type { HolderView, PageView, PhaseView, TileView } from "./view.ts"

const phases = (parent: Element) =>
  keyed<PhaseView, { readonly root: Element }>(
    parent,
    ({ word }) => word,
    ({ word }) => ({ root: element("li", "", word) }),
    ({ root }, { state }) => {
      setAttribute(root, "data-state", state)
      if (state === "now") setAttribute(root, "aria-current", "step")
      else root.removeAttribute("aria-current")
    }
  )

const tiles = (parent: Element) =>
  keyed(
    parent,
    ({ name }: TileView) => name,
    ({ name }) => {
      const value = element("dd", "value", "")
      const of = element("dd", "muted small", "")
      const root = element("div", "tile", "")
      root.append(element("dt", "muted small", name), value, of)
      return { root, value, of }
    },
    ({ of, root, value }, view) => {
      setTone(root, view.tone)
      setText(value, view.value)
      setText(of, view.of)
    }
  )

const holders = (parent: Element) =>
  keyed(
    parent,
    ({ place }: HolderView & { readonly place: number }) => String(place),
    () => copy("holder-row"),
    ({ get }, { age, backend, label, site }) => {
      setText(get("age"), age)
      setText(get("backend"), backend)
      setText(get("label"), label)
      setText(get("site"), site)
    }
  )

const NOBODY: HolderView = { age: "–", backend: "", label: "Nobody holds a connection.", site: "" }

/** A function that shows the page anew. */
export const page = ({ get }: Parts): (view: PageView) => void => {
  const showPhases = phases(get("phases"))
  const showTiles = tiles(get("tiles"))
  const showOverview = overview(get("overview-rows"))
  const showCards = cards(get("cards"))
  const showHolders = holders(get("holder-rows"))
  return (view) => {
    if (document.title !== view.title) document.title = view.title
    setText(get("service"), view.service)
    setText(get("about"), view.about)
    setHidden(get("phases"), view.phases.length === 0)
    showPhases(view.phases)
    setTone(get("headline"), view.tone)
    setAttribute(get("headline-mark"), "href", `#mark-${view.tone}`)
    setText(get("headline-text"), view.headline)
    setText(get("headline-detail"), view.detail)
    showTiles(view.tiles)
    setText(get("began"), view.began)
    showOverview(view)
    showCards(view.backends)
    const holding = view.holders.length === 0 ? [NOBODY] : view.holders
    showHolders(holding.map((holder, place) => ({ ...holder, place })))
  }
}

/** A function that shows the events anew. */
export const events = ({ get }: Parts): (told: ReadonlyArray<Told>, dropped: number) => void => {
  const show = keyed(
    get("events"),
    ({ id }: Told) => String(id),
    () => copy("event"),
    (item, told) => {
      setTone(item.root, told.tone)
      setText(item.get("time"), timeOfDay(told.at))
      setAttribute(item.get("time"), "datetime", new Date(told.at).toISOString())
      setAttribute(item.get("mark"), "href", `#mark-${told.tone}`)
      setText(item.get("title"), told.title)
      setText(item.get("backend"), told.backend)
      setText(item.get("times"), told.times > 1 ? `×${told.times}` : "")
      setText(item.get("detail"), told.detail)
    }
  )
  return (told, dropped) => {
    show(told)
    setHidden(get("events-empty"), told.length > 0)
    setHidden(get("events-dropped"), dropped === 0)
    setText(get("events-dropped"), `${dropped} more came too fast to be told one by one.`)
  }
}
