/** Every scenario, in the order of the document. A new one is a module of its own and a line here. */
import { scenario as a1 } from "./a1.ts"
import { scenario as a2 } from "./a2.ts"
import { scenario as a3 } from "./a3.ts"
import { scenario as a4 } from "./a4.ts"
import { scenario as a5 } from "./a5.ts"
import { scenario as a6 } from "./a6.ts"
import { scenario as h2 } from "./h2.ts"
import { scenario as h3 } from "./h3.ts"
import { scenario as o } from "./o.ts"
import { scenario as r1 } from "./r1.ts"
import { scenario as r2 } from "./r2.ts"
import { scenario as r5 } from "./r5.ts"
import { scenario as r6 } from "./r6.ts"
import type { Scenario } from "./scenario.ts"
import { scenario as t } from "./t.ts"

export const scenarios: ReadonlyArray<Scenario> = [r1, r2, r5, r6, h2, h3, t, a1, a2, a3, a4, a5, a6, o]
