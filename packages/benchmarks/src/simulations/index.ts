/** Every scenario, in the order of the document. A new one is a module of its own and a line here. */
import type { Scenario } from "./scenario.ts"

export const scenarios: ReadonlyArray<Scenario> = []
