/** Reads the counts out of vitest's JSON report, distrusting it: what did not run or could not load has failed. */
import * as fs from "node:fs"
import * as path from "node:path"
import { root } from "./repository.ts"

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export interface Summary extends Counts {
  readonly failedTests: ReadonlyArray<string>
  readonly skippedTests: ReadonlyArray<string>
}

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly assertionResults: ReadonlyArray<{ readonly status: string; readonly fullName: string }>
  }>
}

const readReport = (file: string): Report | undefined => {
  try {
    // The shape is vitest's own, of the version that the lockfile fixes.
    return JSON.parse(fs.readFileSync(file, "utf8")) as Report
  } catch {
    return undefined
  }
}

const namesOf = (report: Report, matches: (status: string) => boolean): Array<string> =>
  report.testResults
    .flatMap((result) => result.assertionResults)
    .filter((test) => matches(test.status))
    .map((test) => test.fullName)

export const countTests = (file: string, succeeded: boolean): Summary => {
  const report = readReport(file)
  if (report === undefined) {
    return { passed: 0, failed: 1, skipped: 0, failedTests: ["vitest left no report"], skippedTests: [] }
  }
  // A file that cannot be loaded, or a hook that fails, leaves no failed test behind.
  const failedFiles = report.testResults.filter((result) =>
    result.status === "failed" && result.assertionResults.every((test) => test.status !== "failed")
  )
  const failed = report.numFailedTests + failedFiles.length
  return {
    passed: report.numPassedTests,
    failed: succeeded ? failed : Math.max(failed, 1),
    skipped: report.numPendingTests + report.numTodoTests,
    failedTests: [
      ...namesOf(report, (status) => status === "failed"),
      ...failedFiles.map((result) => path.relative(root, result.name))
    ],
    skippedTests: namesOf(report, (status) => status !== "failed" && status !== "passed")
  }
}
