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
  const faults = outcome.leftOut.length === 0
    ? "every fault"
    : `every fault but those left out (${outcome.leftOut.length})`
  return `PASSED: ${ok} of ${requests} requests succeeded, the others failed with a type, ${faults} was survived`
}

/** What policies are for. */
export const compare = (guarded: Outcome, bare: Outcome): string => {
  const rowOf = (what: string, of: (outcome: Outcome) => string | number) => [what, of(guarded), of(bare)]
  const worst = ({ report }: Outcome) => {
    const millis = Object.values(report.recoveredWithinMs)
    return millis.includes(null) ? "never" : `${Math.max(...millis.map(Number))} ms`
  }
  return [
    "",
    Screen.table(["", "with policies", "without"], [
      rowOf("requests", ({ report }) => report.requests),
      rowOf("succeeded", ({ report }) => report.ok),
      rowOf("failed", ({ report }) => report.requests - report.ok),
      rowOf("given up by the client", ({ report }) => report.failures["Client.Timeout"] ?? 0),
      rowOf("p50 ms", ({ report }) => report.p50),
      rowOf("p99 ms", ({ report }) => report.p99),
      rowOf("slowest recovery", worst),
      rowOf("orders acknowledged", ({ report }) => report.ordersAcknowledged),
      rowOf("orders lost", ({ report }) => report.ordersLost),
      rowOf("exit code", ({ exitCode }) => exitCode)
    ])
  ].join("\n")
}

export const show = (outcome: Outcome): string => {
  const left = outcome.leftOut.map(({ name, why }) => `Left out: ${name}, since ${why}`)
  const standIn = outcome.responder
    ? ["There is no MongoDB here: a responder of its protocol stood in, which shows the driver and not MongoDB."]
    : []
  return [
    "",
    stages(outcome),
    "",
    failures(outcome),
    "",
    ...summary(outcome),
    ...left,
    ...standIn,
    "",
    verdict(outcome)
  ].join("\n")
}
