/** The few things done to the document. Texts go in as texts: nothing here, or anywhere in the page, reads markup. */

/** The named parts of a piece of the page. */
export interface Parts {
  readonly root: Element
  readonly get: (name: string) => HTMLElement
}

/** `data-part` names them; a part that is missing is a mistake in the page. */
export const partsOf = (root: Element): Parts => {
  const found = new Map<string, HTMLElement>()
  for (const element of root.querySelectorAll<HTMLElement>("[data-part]")) {
    found.set(element.dataset["part"] ?? "", element)
  }
  return {
    root,
    get: (name) => {
      const element = found.get(name)
      if (element === undefined) throw new Error(`the page has no part ${name}`)
      return element
    }
  }
}

/** A copy of a template's only element. */
export const copy = (id: string): Parts => {
  const template = document.querySelector<HTMLTemplateElement>(`template#${id}`)
  const root = template?.content.firstElementChild?.cloneNode(true)
  if (!(root instanceof Element)) throw new Error(`the page has no template ${id}`)
  return partsOf(root)
}

/** Touches the document only where something differs: what is selected stays so, and nobody is told twice. */
export const setText = (node: Element, text: string): void => {
  if (node.textContent !== text) node.textContent = text
}

export const setAttribute = (node: Element, name: string, value: string): void => {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value)
}

export const setHidden = (node: HTMLElement, hidden: boolean): void => {
  if (node.hidden !== hidden) node.hidden = hidden
}

export const setTone = (node: Element, tone: string): void => setAttribute(node, "data-tone", tone)

export const element = (name: string, className: string, text: string): HTMLElement => {
  const node = document.createElement(name)
  node.className = className
  node.textContent = text
  return node
}

/** A shape of SVG, which is no HTML element. */
export const shape = (name: string): Element => document.createElementNS("http://www.w3.org/2000/svg", name)

/**
 * One child of `parent` for each item, in their order, made once for each key and kept for as long as its item is there.
 */
export const keyed = <A, V extends { readonly root: Element }>(
  parent: Element,
  key: (item: A) => string,
  make: (item: A) => V,
  update: (view: V, item: A) => void
): (items: ReadonlyArray<A>) => void => {
  const views = new Map<string, V>()
  return (items) => {
    const keys = new Set(items.map(key))
    for (const [name, { root }] of views) {
      if (keys.has(name)) continue
      root.remove()
      views.delete(name)
    }
    items.forEach((item, index) => {
      const name = key(item)
      const view = views.get(name) ?? make(item)
      views.set(name, view)
      const there = parent.children[index]
      if (there !== view.root) parent.insertBefore(view.root, there ?? null)
      update(view, item)
    })
  }
}
