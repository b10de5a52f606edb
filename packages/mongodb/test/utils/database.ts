/** A database of ours on a server of its own, quiet, and out of the process's registry. */
import { Backends, type PoolError } from "@breakwater/core"
import { Mongo } from "@breakwater/mongodb"
import { FakeMongo, MongoServer, type MongoServerError } from "@breakwater/testing"
import { type Config, Effect, Logger, Redacted, References, type Scope } from "effect"

export { eventually } from "@breakwater/testing/Eventually"

export const quiet = Effect.provide(Logger.layer([]))

type Given = Omit<Mongo.Options, "name" | "url"> & { readonly name?: string }

export const open = (
  url: Redacted.Redacted,
  options: Given = {}
): Effect.Effect<Mongo.Mongo, PoolError.PoolError | Config.ConfigError, Scope.Scope> =>
  Backends.isolated(Mongo.make({ name: "shop", url, ...options })).pipe(
    quiet,
    Effect.provideService(References.MinimumLogLevel, "None")
  )

let told = false

/** A server that may be killed: a MongoDB where there is one, else the responder. Says once which it is. */
export const server: Effect.Effect<MongoServer.MongoServer, MongoServerError.MongoServerError, Scope.Scope> = Effect
  .tap(
    MongoServer.make({ sources: MongoServer.ownSources }),
    ({ responder, source, version }) =>
      Effect.sync(() => {
        if (told) return
        told = true
        process.stdout.write(
          responder ? "[mongodb] on the responder, which is no MongoDB\n" : `[mongodb] on ${source} ${version}\n`
        )
      })
  )

export const urlOf = ({ host, port }: { readonly host: string; readonly port: number }, rest = "/shop") =>
  Redacted.make(`mongodb://${host}:${port}${rest}`)

/** A database on a responder, for faults on command. */
export const faulty = (options: Given = {}) =>
  Effect.gen(function*() {
    const fake = yield* FakeMongo.make
    return { fake, mongo: yield* open(urlOf(fake), options) }
  })

export const find: Mongo.Work<unknown> = (db, _, limits) =>
  db.collection("books").findOne({ title: "Moby Dick" }, limits)

export const insert: Mongo.Work<unknown> = (db, _, limits) =>
  db.collection("books").insertOne({ title: "The Raft" }, limits)
