/**
 * The dashboard's page: its HTML, CSS and script are sources of their own, and what is served is one module written from
 * them, so that it needs no bundler where it runs.
 */
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import { build } from "vite"
import { at, read } from "../internal/repository.ts"

const FOLDER = "packages/ops/src/internal/dashboard"
const TARGET = `${FOLDER}/page.ts`

/** The client's modules as one script. */
const bundle = async (): Promise<string> => {
  const result = await build({
    configFile: false,
    root: at(FOLDER),
    logLevel: "error",
    build: {
      write: false,
      // The stylesheet's light-dark() asks for browsers of 2024, which know all of it.
      target: "es2023",
      lib: { entry: at(FOLDER, "client/main.ts"), formats: ["iife"], name: "dashboard" }
    }
  })
  const outputs = [result].flat().flatMap((one) => "output" in one ? one.output : [])
  const codes = outputs.flatMap((one) => one.type === "chunk" ? [one.code] : [])
  if (codes.length !== 1) throw new Error(`the dashboard's script came in ${codes.length} pieces`)
  return codes.join("").trim()
}

const styles = () => read(`${FOLDER}/page.css`).replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/\s*\n\s*/g, "\n").trim()

const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

const policy = (script: string, style: string) =>
  [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    // No text can become markup: the page has no trusted type, so that every sink of HTML refuses.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'"
  ].join("; ")

const inside = (html: string, tag: "script" | "style", text: string): string => {
  if (text.toLowerCase().includes(`</${tag}`)) throw new Error(`the dashboard's ${tag} would end its own element`)
  return html.replace(`<${tag}></${tag}>`, () => `<${tag}>${text}</${tag}>`)
}

const generate = async (): Promise<string> => {
  const [script, style] = [await bundle(), styles()]
  const html = inside(inside(read(`${FOLDER}/page.html`), "style", style), "script", script)
  return `/**
 * The page as it is served. Written by \`npm run check -- --fix\` from page.html, page.css and client/.
 *
 * @internal
 */

/** @internal */
export const html: string =
  ${JSON.stringify(html)}

/** Allows this script and this style and nothing from anywhere else. @internal */
export const contentSecurityPolicy: string =
  ${JSON.stringify(policy(script, style))}
`
}

export const check = async (fix: boolean): Promise<Array<string>> => {
  if (!fs.existsSync(at(FOLDER))) return []
  const expected = await generate()
  const there = fs.existsSync(at(TARGET)) ? read(TARGET) : ""
  if (there === expected) return []
  if (fix) {
    fs.writeFileSync(at(TARGET), expected)
    return []
  }
  return [`${TARGET}: does not match its sources`, "npm run check -- --fix writes it"]
}
