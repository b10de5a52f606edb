/** The end of a storm for a person: what happened in which stage, what failed how, and the verdict. */
import * as Report from "./Report.ts"
import type { Outcome } from "./run.ts"
import * as Screen from "./Screen.ts"

const recovery = ({ recovered }: Report.Row): string =>
  recovered === undefined ? "" : recovered === null ? "never" : `${recovered} ms`

const stages = ({ rows }: Outcome): string =>
  Screen.table(
    ["stage", "requests", "ok", "failed", "p50 ms", "p99 ms", "recovered in"],
    rows.map((row) => [
      row.label,
      row.tally.requests,
      row.tally.ok,
      row.tally.requests - row.tally.ok,
      row.tally.percentile(0.5),
      row.tally.percentile(0.99),
      recovery(row)
    ])
  )

const failures = ({ report }: Outcome): string =>
  Screen.table(["failures by kind", "requests"], Object.entries(report.failures))

const backends = ({ report }: Outcome): string =>
  Screen.table(
    ["backend", "connections opened", "breaker opened"],
    Object.entries(report.connectionsOpened).map(([name, opened]) => [name, opened, report.breakerOpened[name] ?? 0])
  )

const summary = ({ exitCode, report }: Outcome): ReadonlyArray<string> => [
  `Orders: ${report.ordersAcknowledged} acknowledged, ${report.ordersLost} lost, ${report.ordersDoubled} doubled, ${report.ordersUnpaid} unpaid`,
  `Connections left at the backends: ${report.socketsLeft}`,
  `Exit code of the storefront: ${exitCode}`
]

const verdict = (outcome: Outcome): string => {
  const why = Report.faultsOf(outcome.report, outcome.exitCode)
  if (why.length > 0) return `FAILED: ${why.join("; ")}`
  const { leftOut, mongodb, ok, requests } = outcome.report
  const missing = Object.keys(leftOut)
  const faults = missing.length === 0 ? "every fault" : `every fault but ${missing.join(", ")}, which were left out,`
  const standIn = mongodb === "responder" ? " MongoDB was a stand-in." : ""
  return `PASSED: ${ok} of ${requests} requests succeeded, the others failed with a type, and ${faults} was survived.${standIn}`
}

const allOf = ({ report, rows }: Outcome) => [
  ...rows.map((row) => ({
    label: row.label,
    failed: row.tally.requests - row.tally.ok,
    p99: row.tally.percentile(0.99),
    recovered: recovery(row)
  })),
  { label: "all", failed: report.requests - report.ok, p99: report.p99, recovered: "" }
]

/** The same storm with policies and without, side by side. */
export const compare = (guarded: Outcome, bare: Outcome): string => {
  const others = new Map(allOf(bare).map((row) => [row.label, row]))
  const rows = allOf(guarded).map(({ failed, label, p99, recovered }) => {
    const other = others.get(label)
    return [label, failed, other?.failed ?? "", p99, other?.p99 ?? "", recovered, other?.recovered ?? ""]
  })
  const head = ["with policies, and bare", "failed", "bare", "p99 ms", "bare", "recovered", "bare"]
  const counts = [
    ["orders acknowledged", guarded.report.ordersAcknowledged, bare.report.ordersAcknowledged],
    ["orders lost", guarded.report.ordersLost, bare.report.ordersLost],
    ["connections opened", sum(guarded.report.connectionsOpened), sum(bare.report.connectionsOpened)]
  ]
  return ["", Screen.table(head, rows), "", Screen.table(["in all", "with policies", "bare"], counts)].join("\n")
}

const sum = (byBackend: Readonly<Record<string, number>>) => Object.values(byBackend).reduce((all, n) => all + n, 0)

export const show = (outcome: Outcome): string => {
  const { leftOut, mongodb } = outcome.report
  const left = Object.entries(leftOut).map(([name, why]) => Screen.wrap(`Left out: ${name}, since ${why}`))
  const standIn = mongodb === "responder"
    ? ["There is no MongoDB here: a responder of its protocol stands in, which shows the\ndriver and not MongoDB."]
    : []
  return [
    "",
    stages(outcome),
    "",
    failures(outcome),
    "",
    backends(outcome),
    "",
    ...summary(outcome),
    ...left,
    ...standIn,
    "",
    Screen.wrap(verdict(outcome))
  ].join("\n")
}
