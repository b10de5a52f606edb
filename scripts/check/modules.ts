/** Size of modules, comments on what is public, and a reason beside every cast. */
import { files, packageNames, read } from "../internal/repository.ts"
import { publicModules } from "./publicModules.ts"

const MAXIMUM_CODE_LINES = 400

const withoutComments = (text: string) => text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "")

const codeLines = (file: string) => withoutComments(read(file)).split("\n").filter((line) => line.trim() !== "").length

const tooLong = (file: string): Array<string> => {
  const lines = codeLines(file)
  return lines <= MAXIMUM_CODE_LINES ? [] : [`${file}: ${lines} code lines, at most ${MAXIMUM_CODE_LINES}: split it`]
}

const declaration = /^export (?:declare )?(?:abstract )?(const|function|class|interface|type|namespace) ([A-Za-z]\w*)/

/** The comment that ends on the line before, if one does. */
const commentAbove = (lines: ReadonlyArray<string>, index: number): string => {
  if (!lines[index - 1]?.trimEnd().endsWith("*/")) return ""
  const start = lines.slice(0, index).findLastIndex((line) => line.startsWith("/**"))
  return start < 0 ? "" : lines.slice(start, index).join("\n")
}

const count = (text: string, tag: string) => text.split(`${tag} `).length - 1

const undocumented = (file: string): Array<string> => {
  const lines = read(file).split("\n")
  const seen = new Set<string>()
  return lines.flatMap((line, index) => {
    const [, kind = "", name = ""] = declaration.exec(line) ?? []
    // The further overloads of a function, and a namespace of types beside its class, share the first comment.
    if (name === "" || kind === "namespace" || (kind === "function" && seen.has(name))) return []
    seen.add(name)
    const comment = commentAbove(lines, index)
    const at = `${file}:${index + 1}: ${name}`
    if (comment === "") return [`${at} has no comment`]
    if (comment.includes("@internal")) return []
    if (/^\/\*\*\s+\* @/.test(comment)) return [`${at} has a comment that does not say what it is for`]
    return ["@since", "@category"].flatMap((tag) => count(comment, tag) === 1 ? [] : [`${at} needs exactly one ${tag}`])
  })
}

const cast = /[\w)\]}>"] as (?!const\b)(?:\w+\b(?! from)|[{([])/

/** Casts that no comment on the same line or the line before explains. */
const unexplainedCasts = (file: string): Array<string> => {
  const lines = read(file).split("\n")
  return lines.flatMap((line, index) => {
    const code = line.replaceAll(/"[^"]*"|`[^`]*`/g, "\"\"")
    const isCast = cast.test(code.replace(/\/\/.*$/, "")) &&
      !/^\s*(?:import|export \*|type \w+ as|\*|\/\/|\/\*)/.test(line)
    const explained = code.includes("//") || /^\s*\/\/|\*\/\s*$/.test(lines[index - 1] ?? "")
    return isCast && !explained ? [`${file}:${index + 1}: a cast needs its reason in a comment beside it`] : []
  })
}

export const checkCasts = (): Array<string> => files("packages/*/src/**/*.ts").flatMap(unexplainedCasts)

export const checkSize = (): Array<string> => files("packages/*/src/**/*.ts", "scripts/**/*.{ts,mjs}").flatMap(tooLong)

export const checkComments = (): Array<string> =>
  packageNames().flatMap((name) => publicModules(name)).flatMap((module) => undocumented(module.file))
