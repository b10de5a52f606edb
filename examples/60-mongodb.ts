// MongoDB through the driver's own pool: documents, limits, a retry that is safe, a server that dies and comes back.
import { Operation } from "@breakwater/core"
import { Mongo } from "@breakwater/mongodb"
import { MongoServer } from "@breakwater/testing"
import { Console, Effect } from "effect"

interface Book {
  readonly title: string
  readonly stock: number
}

const program = Effect.gen(function*() {
  // A MongoDB on PATH, or else a stand-in that speaks its protocol. A program of yours has a URL instead.
  const server = yield* MongoServer.make({ sources: MongoServer.ownSources })
  yield* Console.log(`server:      ${server.responder ? "the responder, which is no MongoDB" : server.version}`)

  const mongo = yield* Mongo.make({
    name: "library",
    url: server.url,
    pool: { size: { min: 1, max: 5 } },
    policy: { deadline: "10 seconds", timeout: "2 seconds", retry: { times: 5 } },
    driver: { serverSelectionTimeout: "1 second" }
  })

  // `limits` holds the signal and the time that is left: the driver and the server keep to them.
  yield* mongo.use((db, _, limits) => db.collection<Book>("books").deleteMany({}, limits))
  yield* mongo.use((db, _, limits) =>
    db.collection<Book>("books").insertMany([{ title: "Moby Dick", stock: 3 }, { title: "The Raft", stock: 1 }], limits)
  )

  // A call is one unit for the policies, whatever it does; its label shows in errors and events.
  const sell = (title: string) =>
    mongo.use(async (db, _, limits) => {
      const books = db.collection<Book>("books")
      const { modifiedCount } = await books.updateOne({ title, stock: { $gt: 0 } }, { $inc: { stock: -1 } }, limits)
      return modifiedCount === 1
    }, { label: "library.sell" })
  yield* Console.log(`sold:        ${yield* sell("The Raft")}, and again: ${yield* sell("The Raft")}`)

  // What can be repeated as a whole says so, and survives a server that is killed and comes back.
  const titles = Operation.idempotent(
    mongo.use((db, _, limits) => db.collection<Book>("books").find({ stock: { $gt: 0 } }, limits).toArray())
  )
  yield* server.kill
  yield* Effect.forkChild(Effect.andThen(Effect.sleep("300 millis"), server.start))
  yield* Console.log(`after death: ${(yield* titles).map(({ title }) => title).join(", ")}`)

  const { max, opened, used } = yield* mongo.stats
  yield* Console.log(`pool:        ${opened} connections opened so far, ${used} used, max ${max}`)
  yield* Console.log(`health:      ${(yield* mongo.health).status}`)
})

await Effect.runPromise(Effect.scoped(program))
