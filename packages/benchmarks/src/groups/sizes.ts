/** Pools of several sizes, and none at all: what a pool is for, and that a larger one is not a faster one. */
import * as Effect from "effect/Effect"
import { type Candidate, type Group, ofEffect, type Who } from "../candidate.ts"
import * as Databases from "../peers/databases.ts"

const USERS = 200
const STATEMENTS = 1000

/** Each candidate keeps its connections open while the others run. */
const MAX_CONNECTIONS = 700

const load = { users: USERS, latencies: true }

const SMALLEST = "pool of 10"

const who = (name: string, role: Candidate["role"]): Who => ({ name, role, times: STATEMENTS, against: SMALLEST })

export const sizes: Group = {
  name: "sizes",
  cases: Effect.map(Databases.makeServer(MAX_CONNECTIONS), (server) => [{
    name: `${USERS} users, ${STATEMENTS.toLocaleString("en")} statements`,
    about:
      `${USERS} users at once, each reads one row by its primary key, again and again. Times include the wait for a ` +
      "connection. Without a pool every statement opens a connection and closes it. `ratio` is to the smallest pool.",
    shows: "latency",
    candidates: [
      ...[10, 50, 100, 200].map((size) =>
        ofEffect(
          who(`pool of ${size}`, "ours"),
          Effect.map(Databases.breakwaterClient(server, size), Databases.lookup),
          load
        )
      ),
      ofEffect(who("no pool", "peer"), Effect.sync(() => Databases.lookupAlone(server)), load)
    ]
  }])
}
