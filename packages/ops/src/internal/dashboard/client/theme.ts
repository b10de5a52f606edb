/** Light, dark, or as the system says. */
import { setAttribute, setText } from "./dom.ts"
import { stored } from "./storage.ts"

const THEMES = ["system", "light", "dark"] as const

const kept = stored("localStorage", "breakwater.theme")

const current = () => THEMES.find((theme) => theme === kept.get()) ?? "system"

/** Before the first paint, so that nothing flashes. */
export const apply = (): void => {
  const theme = current()
  if (theme === "system") delete document.documentElement.dataset["theme"]
  else document.documentElement.dataset["theme"] = theme
}

/** A button that goes on to the next. */
export const button = (node: HTMLElement): void => {
  const show = () => {
    setText(node, `Theme: ${current()}`)
    setAttribute(node, "aria-label", `Theme: ${current()}. Change it`)
  }
  node.addEventListener("click", () => {
    kept.set(THEMES[(THEMES.indexOf(current()) + 1) % THEMES.length])
    apply()
    show()
  })
  show()
}
