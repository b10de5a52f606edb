/** The pools that are compared, ours first. */
import type { Conformance } from "../../src/index.ts"
import { breakwater } from "./breakwater.ts"
import { effectPool } from "./effectPool.ts"
import { genericPool } from "./genericPool.ts"
import { lightningPool } from "./lightningPool.ts"
import { pgPool } from "./pgPool.ts"
import { tarn } from "./tarn.ts"

export const adapters: ReadonlyArray<Conformance.Adapter> = [
  breakwater,
  effectPool,
  genericPool,
  tarn,
  lightningPool,
  pgPool
]
