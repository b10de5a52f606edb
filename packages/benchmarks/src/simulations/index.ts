/** Every scenario, in the order of the document. A new one is a module of its own and a line here. */
import { scenario as h2 } from "./h2.ts"
import { scenario as h3 } from "./h3.ts"
import { scenario as o } from "./o.ts"
import { scenario as r1 } from "./r1.ts"
import { scenario as r2 } from "./r2.ts"
import { scenario as r5 } from "./r5.ts"
import { scenario as r6 } from "./r6.ts"
import type { Scenario } from "./scenario.ts"

export const scenarios: ReadonlyArray<Scenario> = [r1, r2, r5, r6, h2, h3, o]
