/**
 * What can be told of a statement by its text: its verb, whether it opens or ends a transaction, whether it only reads.
 *
 * @internal
 */

/** Where the comment that begins at `at` ends. Those between slashes nest. */
const afterComment = (sql: string, at: number): number => {
  if (sql.startsWith("--", at)) {
    const end = sql.indexOf("\n", at)
    return end < 0 ? sql.length : end + 1
  }
  let depth = 1
  let end = at + 2
  while (depth > 0 && end < sql.length) {
    if (sql.startsWith("/*", end)) depth++
    else if (sql.startsWith("*/", end)) depth--
    else {
      end++
      continue
    }
    end += 2
  }
  return end
}

/** Past blanks, comments and parentheses. */
const startOf = (sql: string): number => {
  for (let at = 0; at < sql.length;) {
    const code = sql.charCodeAt(at)
    if (code <= SPACE || code === PARENTHESIS) at++
    else if (sql.startsWith("--", at) || sql.startsWith("/*", at)) at = afterComment(sql, at)
    else return at
  }
  return sql.length
}

const SPACE = 32
const PARENTHESIS = 40

/** The first word in lower case; empty where there is none. */
export const verbOf = (sql: string): string => {
  const start = startOf(sql)
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
