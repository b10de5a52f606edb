/** The end of a storm for a person: what happened in which stage, what failed how, and the verdict. */
import * as Report from "./Report.ts"
import type { Outcome } from "./run.ts"
import * as Screen from "./Screen.ts"

const stages = ({ rows }: Outcome): string =>
  Screen.table(
    ["stage", "requests", "ok", "failed", "p50 ms", "p99 ms", "recovered in"],
    rows.map(({ label, recovered, tally }) => [
      label,
      tally.requests,
      tally.ok,
      tally.requests - tally.ok,
      tally.percentile(0.5),
      tally.percentile(0.99),
      recovered === undefined ? "" : recovered === null ? "never" : `${recovered} ms`
    ])
  )

const failures = ({ report }: Outcome): string =>
  Screen.table(["failures by kind", "requests"], Object.entries(report.failures))

const counts = (byBackend: Readonly<Record<string, number>>): string =>
  Object.entries(byBackend).map(([name, n]) => `${n} (${name})`).join(", ")

const summary = ({ exitCode, report }: Outcome): ReadonlyArray<string> => [
  `Orders: ${report.ordersAcknowledged} acknowledged, ${report.ordersLost} lost, ${report.ordersDoubled} doubled, ${report.ordersUnpaid} unpaid`,
  `Connections opened: ${counts(report.connectionsOpened)}`,
  `Breakers opened: ${counts(report.breakerOpened)}`,
  `Connections left at the backends: ${report.socketsLeft}`,
  `Exit code of the storefront: ${exitCode}`
]

const verdict = (outcome: Outcome): string => {
  const why = Report.faultsOf(outcome.report, outcome.exitCode)
  if (why.length > 0) return `FAILED: ${why.join("\n        ")}`
  const { ok, requests } = outcome.report
  return `PASSED: ${ok} of ${requests} requests succeeded, the others failed with a type, every fault was survived`
}

export const show = (outcome: Outcome): string => {
  const left = outcome.leftOut.map(({ name, why }) => `Left out: ${name}, since ${why}`)
  return ["", stages(outcome), "", failures(outcome), "", ...summary(outcome), ...left, "", verdict(outcome)].join("\n")
}
