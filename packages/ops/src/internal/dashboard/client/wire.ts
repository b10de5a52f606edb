/** What the service sends, by the schemas it writes it with. Types only: the page carries no code of them. */
import type * as OpsStats from "../../../OpsStats.ts"

export type Stats = typeof OpsStats.Stats.Encoded
export type BackendStats = typeof OpsStats.Backend.Encoded
export type PolicyState = typeof OpsStats.Policy.Encoded
export type Circuit = NonNullable<PolicyState["circuit"]>
export type Phase = NonNullable<Stats["phase"]>
export type Happening = typeof OpsStats.Happening.Encoded
export type Happenings = typeof OpsStats.Happenings.Encoded
