/** What the products are like, in words. */
import { Operation } from "@breakwater/core"
import { Mongo } from "@breakwater/mongodb"
import { Config, Effect, Layer, Schedule, Schema } from "effect"
import * as Policies from "./Policies.ts"
import * as StorefrontError from "./StorefrontError.ts"

export class Catalogue extends Mongo.Service<Catalogue>()("catalogue") {}

/**
 * Reads `MONGODB_URL`. The shop sells without descriptions.
 *
 * The driver waits for a server before each attempt, so waiting is most of what a repetition does: one is enough, for
 * the connection that the death of a server leaves in the pool. All waits end before the limits around them, with room
 * for a busy machine: it says then that no server answers, and not that something took too long.
 */
const layerMongo = Catalogue.layerConfig({
  critical: Config.succeed(false),
  pool: Config.succeed({
    size: { min: 1, max: 10 },
    wait: { timeout: "500 millis" },
    dial: { timeout: "500 millis" }
  }),
  policy: Policies.config("CATALOGUE_POLICY", {
    deadline: "1500 millis",
    timeout: "600 millis",
    retry: { times: 1 },
    breaker: {}
  }, { retry: false, breaker: false }),
  driver: Config.succeed({ serverSelectionTimeout: "400 millis", heartbeat: { every: "500 millis" } })
})

export const Description = Schema.Struct({ product: Schema.Int, text: Schema.String })

export type Description = typeof Description.Type

const PRODUCTS = 12

/** The same however often, and by however many replicas. */
const fill = Effect.gen(function*() {
  const { use } = yield* Catalogue
  const texts = Array.from({ length: PRODUCTS }, (_, n): Description => ({
    product: n + 1,
    text: `Brass, with a flame that outlasts ${n + 1} nights.`
  }))
  yield* Operation.idempotent(use(async (db, _, limits) => {
    const descriptions = db.collection<Description>("descriptions")
    for (const { product, text } of texts) {
      await descriptions.updateOne({ product }, { $set: { text } }, { ...limits, upsert: true })
    }
  }, { label: "catalogue.fill" }))
})

const layerFill = Layer.effectDiscard(Effect.forkScoped(Effect.retry(fill, Schedule.spaced("500 millis"))))

export const layer = Layer.provideMerge(layerFill, layerMongo)

export const describe = Effect.fnUntraced(function*(product: number) {
  const { use } = yield* Catalogue
  const found = yield* Operation.idempotent(
    use((db, _, limits) => db.collection<Description>("descriptions").findOne({ product }, limits), {
      label: "catalogue.describe"
    })
  ).pipe(Effect.mapError(StorefrontError.fromBackend))
  return found ?? (yield* StorefrontError.make({ _tag: "NotFound", what: `description of product ${product}` }))
})
