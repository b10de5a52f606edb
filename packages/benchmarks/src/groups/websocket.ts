/** What a server does with a hundred WebSocket connections, beside a Map of sockets of the ws package. */
import * as ConnectionManager from "@breakwater/websocket/ConnectionManager"
import * as NodeWS from "@effect/platform-node/NodeWS"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Candidate, type Case, floors, type Group, ofEffect, ofPromises, ours } from "../candidate.ts"
import { type Batch, Batches } from "../peers/standingSockets.ts"

const COUNT = 100

/** Above what any run adds. */
const MOST_OF_A_RUN = 1_000_000

const byHand = { name: "a Map of ws", role: "peer" } as const

const opened = (socket: NodeWS.WebSocket): Promise<NodeWS.WebSocket> =>
  new Promise((resolve, reject) => {
    socket.once("open", () => resolve(socket))
    socket.once("error", reject)
  })

/** A server on loopback, and what connects to it: the sockets of the server's side. */
const listening = async () => {
  const server = new NodeWS.WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false })
  await new Promise((resolve) => server.once("listening", resolve))
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  const dial = async (): Promise<NodeWS.WebSocket> => {
    const accepted = new Promise<NodeWS.WebSocket>((resolve) => server.once("connection", resolve))
    const peer = new NodeWS.WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
    await opened(peer)
    return await accepted
  }
  const sockets: Array<NodeWS.WebSocket> = []
  for (let n = 0; n < COUNT; n++) {
    // One at a time, or the server's sides could not be told apart.
    // oxlint-disable-next-line no-await-in-loop
    sockets.push(await dial())
  }
  const close = async () => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  }
  return { sockets, close }
}

const connections = Effect.map(
  Effect.acquireRelease(Effect.promise(listening), ({ close }) => Effect.promise(close)),
  ({ sockets }) => sockets
)

const filled: Effect.Effect<ConnectionManager.ConnectionManager, unknown, Scope.Scope> = Effect.gen(function*() {
  const manager = yield* ConnectionManager.make({ name: "bench" })
  const sockets = yield* connections
  yield* Effect.forEach(sockets, (socket, n) => manager.add(socket, { id: `${n}` }), { discard: true })
  return manager
})

const openMap = async () => {
  const { close, sockets } = await listening()
  return { close, map: new Map(sockets.map((socket, n) => [`${n}`, socket])) }
}

type ByHand = Map<string, NodeWS.WebSocket>

const ids = Array.from({ length: COUNT }, (_, n) => `${n}`)

const pair = (
  own: (manager: ConnectionManager.ConnectionManager) => Effect.Effect<unknown, unknown>,
  other: (map: ByHand) => Promise<unknown>
): ReadonlyArray<Candidate> => [
  ...floors(),
  ofEffect(ours, Effect.map(filled, (manager) => () => own(manager))),
  ofPromises(byHand, {
    open: openMap,
    op: ({ map }) => () => other(map),
    close: ({ close }) => close()
  })
]

const addAll = (manager: ConnectionManager.ConnectionManager, batch: Batch) =>
  Effect.forEach(batch, ([id, socket]) => manager.add(socket, { id }), { discard: true })

const removeAll = (manager: ConnectionManager.ConnectionManager, batch: Batch) =>
  Effect.forEach(batch, ([id]) => manager.remove(id), { discard: true })

const addAllByHand = (map: ByHand, batch: Batch): void => {
  for (const [id, socket] of batch) {
    map.set(id, socket)
    socket.once("close", () => map.delete(id))
  }
}

const removeAllByHand = (map: ByHand, batch: Batch): Promise<unknown> =>
  Promise.all(batch.map(([id]) =>
    new Promise<void>((resolve) => {
      const socket = map.get(id)
      socket?.once("close", () => resolve())
      socket?.close()
    })
  ))

const registering = (work: "add" | "remove"): Candidate => {
  const batches = new Batches(COUNT)
  const managed = Effect.runSync(Deferred.make<ConnectionManager.ConnectionManager>())
  const op = work === "add" ? addAll : removeAll
  const manager = ConnectionManager.make({ name: "bench", connections: { max: MOST_OF_A_RUN } })
  return {
    ...ofEffect(
      ours,
      Effect.map(
        Effect.tap(manager, (made) => Deferred.succeed(managed, made)),
        (made) => () => Effect.suspend(() => op(made, batches.next()))
      )
    ),
    prepare: async (times) => {
      batches.fill(times)
      if (work === "add") return
      const made = await Effect.runPromise(Deferred.await(managed))
      for (const batch of batches.all) Effect.runSync(addAll(made, batch))
    }
  }
}

const registeringByHand = (work: "add" | "remove"): Candidate => {
  const batches = new Batches(COUNT)
  const map: ByHand = new Map()
  return {
    ...ofPromises(byHand, {
      open: async () => undefined,
      op: () => async () => work === "add" ? addAllByHand(map, batches.next()) : removeAllByHand(map, batches.next()),
      close: async () => batches.fill(0)
    }),
    prepare: async (times) => {
      batches.fill(times)
      if (work === "remove") { for (const batch of batches.all) addAllByHand(map, batch) }
    }
  }
}

const text = "a message of some length, as a feed of orders would send it"

const send = (socket: NodeWS.WebSocket) => new Promise<void>((resolve) => socket.send(text, () => resolve()))

const ping = (socket: NodeWS.WebSocket) =>
  new Promise<void>((resolve) => {
    socket.once("pong", () => resolve())
    socket.ping()
  })

const cases = (): ReadonlyArray<Case> => [
  {
    name: `Add ${COUNT}`,
    about: "Sockets that are open already, without a network; by hand, with a listener that takes them out again.",
    candidates: [...floors(), registering("add"), registeringByHand("add")]
  },
  {
    name: `Remove ${COUNT}`,
    about: "Closes each and waits for its end, which comes at once: there is no network.",
    candidates: [...floors(), registering("remove"), registeringByHand("remove")]
  },
  {
    name: `Find each of ${COUNT}`,
    about: "By its id.",
    candidates: pair(
      (manager) => Effect.forEach(ids, (id) => manager.get(id), { discard: true }),
      async (map) => ids.map((id) => map.get(id))
    )
  },
  {
    name: `The numbers of ${COUNT}`,
    about: "`stats`, as a dashboard asks for them.",
    candidates: [...floors(), ofEffect(ours, Effect.map(filled, (manager) => () => manager.stats))]
  },
  {
    name: `The summary of ${COUNT}`,
    about: "How many there are, and the ids of all.",
    candidates: pair((manager) => manager.summary, async (map) => ({ total: map.size, ids: [...map.keys()] }))
  },
  {
    name: `Send to each of ${COUNT}`,
    about: "Within the limit of its send buffer; by hand, when the network has it.",
    candidates: pair(
      (manager) => Effect.andThen(Effect.forEach(ids, (id) => manager.send(id, text), { discard: true }), afterTurn),
      (map) => Promise.all(Array.from(map.values(), send))
    )
  },
  {
    name: `Health check of ${COUNT}`,
    about: "A ping to every peer, and its answer.",
    candidates: pair((manager) => manager.healthCheck, (map) => Promise.all(Array.from(map.values(), ping)))
  }
]

/** A turn of the event loop, in which the network takes what was sent. */
const afterTurn = Effect.callback<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

export const websocket: Group = { name: "websocket", cases: Effect.sync(cases) }
