/**
 * What can be told of a statement by its text: its verb, whether it opens or ends a transaction, whether it only reads.
 *
 * @internal
 */

/** Blanks and comments before the first word. */
const LEADING = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|\()*/

/** The first word in lower case; empty where there is none. */
export const verbOf = (sql: string): string => {
  const start = LEADING.exec(sql)?.[0].length ?? 0
  let end = start
  while (end < sql.length && isLetter(sql.charCodeAt(end))) end++
  return sql.slice(start, end).toLowerCase()
}

/** What a statement does to the transaction of its session. */
export type Control = "begin" | "commit" | "rollback" | "rollbackTo" | "release" | "chain" | undefined

const CONTROLS: Record<string, Control> = {
  begin: "begin",
  start: "begin",
  commit: "commit",
  end: "commit",
  rollback: "rollback",
  abort: "rollback",
  release: "release"
}

export const controlOf = (sql: string): Control => {
  const control = CONTROLS[verbOf(sql)]
  if (control !== "commit" && control !== "rollback") return control
  if (/\band\s+chain\b/i.test(sql)) return "chain"
  if (/\bprepared\b/i.test(sql)) return undefined
  return control === "rollback" && /\bto\b/i.test(sql) ? "rollbackTo" : control
}

const READS = new Set(["select", "show", "values", "table"])

/** Words that make a SELECT more than a read; anywhere in the text, since finding less would be unsafe. */
const WRITES =
  /\b(?:into|for\s+(?:no\s+key\s+)?update|for\s+(?:key\s+)?share|nextval|setval|pg_advisory\w*|pg_try_advisory\w*|pg_notify|insert|update|delete|merge)\b/i

/** Whether a statement outside a transaction reads only, as far as its text can tell: a function may do anything. */
export const isPlainRead = (sql: string): boolean => READS.has(verbOf(sql)) && !WRITES.test(sql)

const isLetter = (code: number): boolean => (code >= 65 && code <= 90) || (code >= 97 && code <= 122)
