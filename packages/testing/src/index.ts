/**
 * Real servers and real faults for tests, examples and benchmarks. Written by `npm run check -- --fix` from the
 * modules' own comments.
 *
 * @since 0.1.0
 */

/**
 * A real Chromium for tests of pages: one that is on this machine, or Debian's package, installed on the spot.
 *
 * @since 0.1.0
 */
export * as Chromium from "./Chromium.ts"

/**
 * Scores a connection pool, of any make, by 26 behaviours that a pool owes those who depend on it.
 *
 * @since 0.1.0
 */
export * as Conformance from "./Conformance.ts"

/**
 * Random times for simulations: how long a server takes, how long until the next call. All in milliseconds, drawn from
 * a source of numbers in [0, 1).
 *
 * @since 0.1.0
 */
export * as Distribution from "./Distribution.ts"

/**
 * Waits for what comes about by itself: a pool that refills, a server that comes back.
 *
 * @since 0.1.0
 */
export * as Eventually from "./Eventually.ts"

/**
 * An HTTP/1.1 server on 127.0.0.1 that answers as it is told, and counts its sockets: slow headers, slow bodies,
 * bodies that end in a reset, any status, nothing at all.
 *
 * @since 0.1.0
 */
export * as FakeHttp from "./FakeHttp.ts"

/**
 * A responder that speaks MongoDB's protocol on 127.0.0.1, for where there is no MongoDB: handshake, ping, insert,
 * find, update, delete, count, and faults on command. It proves a driver, its pool and how failures are handled; it
 * proves nothing about MongoDB, and `MongoServer` says where it stands in for one.
 *
 * @since 0.1.0
 */
export * as FakeMongo from "./FakeMongo.ts"

/**
 * A TCP server on 127.0.0.1 that treats each connection as its script says, and counts them: for what has no protocol
 * of its own, such as a pool over plain sockets.
 *
 * @since 0.1.0
 */
export * as FakeTcp from "./FakeTcp.ts"

/**
 * Faults of a network as values, for `FaultProxy.apply`.
 *
 * @since 0.1.0
 */
export * as Fault from "./Fault.ts"

/**
 * A TCP proxy on 127.0.0.1 whose network fails on command, for the connections that are open and for those to come.
 *
 * @since 0.1.0
 */
export * as FaultProxy from "./FaultProxy.ts"

/**
 * A MongoDB for tests, examples and benchmarks: given by `BREAKWATER_TEST_MONGODB_URL`, or a `mongod` or `ferretdb` on
 * PATH started here, or, where there is none, the responder of `FakeMongo`. `responder` says that it is one: what was
 * shown on it was shown of the driver and of what is around it, not of MongoDB.
 *
 * @since 0.1.0
 */
export * as MongoServer from "./MongoServer.ts"

/**
 * What can go wrong between a test and its MongoDB server.
 *
 * @since 0.1.0
 */
export * as MongoServerError from "./MongoServerError.ts"

/**
 * Calls that come at a rate, whether or not the earlier ones have been answered ("open loop"). Each knows when it was
 * due: whoever measures from there sees a stall of the server, or of the client itself, in every call that it delayed,
 * instead of in the one that hit it (no "coordinated omission").
 *
 * @since 0.1.0
 */
export * as OpenLoop from "./OpenLoop.ts"

/**
 * A real Postgres for tests, examples and benchmarks: started here, or given by `BREAKWATER_TEST_POSTGRES_URL`.
 *
 * @since 0.1.0
 */
export * as PostgresServer from "./PostgresServer.ts"

/**
 * What can go wrong between a test and its Postgres server.
 *
 * @since 0.1.0
 */
export * as PostgresServerError from "./PostgresServerError.ts"

/**
 * A real Redis for tests, examples and benchmarks: started here, or given by `BREAKWATER_TEST_REDIS_URL`.
 *
 * @since 0.1.0
 */
export * as RedisServer from "./RedisServer.ts"

/**
 * What can go wrong between a test and its Redis server.
 *
 * @since 0.1.0
 */
export * as RedisServerError from "./RedisServerError.ts"

/**
 * What promises reject with, for tests of code outside Effect.
 *
 * @since 0.1.0
 */
export * as Rejection from "./Rejection.ts"

/**
 * Choices at random that a seed repeats: a test that names its seed when it fails can be run again with the same.
 *
 * @since 0.1.0
 */
export * as Seeded from "./Seeded.ts"

/**
 * A server as a model: some threads, a queue in front of them, and a time that each request takes. It goes on with a
 * request whose caller has gone, as servers do, unless `cancels` says otherwise.
 *
 * @since 0.1.0
 */
export * as SimulatedServer from "./SimulatedServer.ts"

/**
 * Runs a program on virtual time, to its end, at once: clock, scheduler and randomness are the simulation's own, so
 * that the same seed gives the same run to the last digit, and an hour takes as long as what happens in it.
 *
 * @since 0.1.0
 */
export * as Simulation from "./Simulation.ts"

/**
 * A certificate for a server of a test, and the authority that signed it, made on the spot: nobody else trusts it, and
 * no key of it is ever stored.
 *
 * @since 0.1.0
 */
export * as TestCertificate from "./TestCertificate.ts"

/**
 * TLS in front of a server that has none: a listener on 127.0.0.1 that takes it off, and hands the bytes on.
 *
 * @since 0.1.0
 */
export * as TlsProxy from "./TlsProxy.ts"

/**
 * Callers that come whether or not the earlier ones have been served ("open loop"), and what became of them.
 *
 * @since 0.1.0
 */
export * as Traffic from "./Traffic.ts"

/**
 * Hears all that a program says: its logs of every level, its spans as exporters send them, and whatever else it is
 * shown, errors and statistics for instance. For tests that a secret shows nowhere.
 *
 * @since 0.1.0
 */
export * as Witness from "./Witness.ts"
