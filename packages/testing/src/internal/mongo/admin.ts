/**
 * What a test asks a real MongoDB for, each time on a client of its own.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type Document, MongoClient } from "mongodb"
import type { MongoServerError } from "../../MongoServerError.ts"
import { inRealTime } from "../realTime.ts"
import { errors } from "./errors.ts"

/** By which the helper's own connections are left out of counts. */
const APP_NAME = "breakwater-testing"

const ask = (url: Redacted.Redacted, operation: string, command: Document) =>
  Effect.tryPromise({
    try: async () => {
      const client = new MongoClient(Redacted.value(url), {
        appName: APP_NAME,
        serverSelectionTimeoutMS: 2000,
        connectTimeoutMS: 2000
      })
      try {
        return await client.db("admin").command(command)
      } finally {
        await client.close()
      }
    },
    // The driver's message may hold the URL.
    catch: (cause) => new Error(cause instanceof Error ? cause.name : "it failed")
  }).pipe(
    Effect.timeout("10 seconds"),
    Effect.mapError((cause) => errors.adminFailed(operation, cause)),
    inRealTime
  )

export const version = (url: Redacted.Redacted): Effect.Effect<string, MongoServerError> =>
  Effect.map(ask(url, "ask the version", { buildInfo: 1 }), (info) => String(info["version"]))
