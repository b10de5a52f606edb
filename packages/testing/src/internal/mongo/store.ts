/**
 * Documents in memory, and the few commands on them that tests and examples use. What it does not know it refuses, as a
 * server refuses a command it does not know.
 */
import { BSON } from "mongodb"
import type { Document } from "./wire.ts"

/** An answer of a server that is not well pleased. */
export const failure = (code: number, codeName: string, errmsg: string): Document => ({ ok: 0, code, codeName, errmsg })

type Collection = Array<Document>

const same = (a: unknown, b: unknown): boolean => BSON.EJSON.stringify([a]) === BSON.EJSON.stringify([b])

const compare = (a: unknown, b: unknown): number =>
  typeof a === typeof b && (typeof a === "number" || typeof a === "string") && (typeof b === typeof a)
    ? a < (b as typeof a) ? -1 : a > (b as typeof a) ? 1 : 0 // of one type, as was just seen
    : NaN

const operators: Record<string, (value: unknown, wanted: unknown) => boolean> = {
  $eq: same,
  $ne: (value, wanted) => !same(value, wanted),
  $in: (value, wanted) => Array.isArray(wanted) && wanted.some((one) => same(value, one)),
  $gt: (value, wanted) => compare(value, wanted) > 0,
  $gte: (value, wanted) => compare(value, wanted) >= 0,
  $lt: (value, wanted) => compare(value, wanted) < 0,
  $lte: (value, wanted) => compare(value, wanted) <= 0,
  $exists: (value, wanted) => (value !== undefined) === Boolean(wanted)
}

const isOperation = (wanted: unknown): wanted is Record<string, unknown> =>
  typeof wanted === "object" && wanted !== null && Object.keys(wanted).some((key) => Object.hasOwn(operators, key))

const matches = (filter: Document) => (document: Document): boolean =>
  Object.entries(filter).every(([field, wanted]) =>
    isOperation(wanted)
      ? Object.entries(wanted).every(([name, operand]) => operators[name]?.(document[field], operand) ?? false)
      : same(document[field], wanted)
  )

const order = (sort: Document) => (a: Document, b: Document): number => {
  for (const [field, direction] of Object.entries(sort)) {
    const compared = compare(a[field], b[field])
    if (compared !== 0 && !Number.isNaN(compared)) return compared * Number(direction)
  }
  return 0
}

const select = (collection: Collection, filter: Document, options: Document): Array<Document> => {
  const found = collection.filter(matches(filter))
  const sorted = options["sort"] === undefined ? found : found.toSorted(order(options["sort"]))
  const skip = Number(options["skip"] ?? 0)
  const limit = Math.abs(Number(options["limit"] ?? 0))
  return sorted.slice(skip, limit === 0 ? undefined : skip + limit)
}

/** Whether anything changed. */
const change = (document: Document, update: Document): boolean => {
  const before = BSON.EJSON.stringify(document)
  if (Object.keys(update).some((key) => key.startsWith("$"))) {
    Object.assign(document, update["$set"])
    for (const [field, by] of Object.entries(update["$inc"] ?? {})) {
      document[field] = Number(document[field] ?? 0) + Number(by)
    }
    for (const field of Object.keys(update["$unset"] ?? {})) delete document[field]
  } else {
    for (const field of Object.keys(document)) if (field !== "_id") delete document[field]
    Object.assign(document, update)
  }
  return BSON.EJSON.stringify(document) !== before
}

const plainFields = (filter: Document): Document =>
  Object.fromEntries(Object.entries(filter).filter(([, wanted]) => !isOperation(wanted)))

const listIn = (command: Document, field: string): Array<Document> => command[field] ?? []

export class Store {
  private readonly collections = new Map<string, Collection>()

  /** Runs a command on a database; `undefined` for one that this store does not know. */
  run(command: Document): Document | undefined {
    const [name = ""] = Object.keys(command)
    const namespace = `${String(command["$db"])}.${String(command[name])}`
    switch (name) {
      case "insert":
        return this.insert(namespace, command)
      case "find":
        return { cursor: { id: BSON.Long.ZERO, ns: namespace, firstBatch: this.find(namespace, command) }, ok: 1 }
      case "update":
        return this.update(namespace, command)
      case "delete":
        return this.delete(namespace, command)
      case "count":
        return { n: select(this.at(namespace), command["query"] ?? {}, command).length, ok: 1 }
      case "aggregate":
        return this.aggregate(namespace, command)
      case "drop":
        this.collections.delete(namespace)
        return { ok: 1 }
      case "createIndexes":
        return { ok: 1 }
      default:
        return undefined
    }
  }

  private at(namespace: string): Collection {
    const known = this.collections.get(namespace) ?? []
    this.collections.set(namespace, known)
    return known
  }

  private find(namespace: string, command: Document): Array<Document> {
    return select(this.at(namespace), command["filter"] ?? {}, command)
  }

  private insert(namespace: string, command: Document): Document {
    const collection = this.at(namespace)
    const writeErrors: Array<Document> = []
    let n = 0
    for (const [index, document] of listIn(command, "documents").entries()) {
      if (collection.some(({ _id }) => same(_id, document["_id"]))) {
        writeErrors.push({ index, code: 11_000, errmsg: "E11000 duplicate key error", keyPattern: { _id: 1 } })
        if (command["ordered"] !== false) break
        continue
      }
      collection.push(document)
      n++
    }
    return writeErrors.length === 0 ? { n, ok: 1 } : { n, writeErrors, ok: 1 }
  }

  private update(namespace: string, command: Document): Document {
    const collection = this.at(namespace)
    const upserted: Array<Document> = []
    let n = 0
    let nModified = 0
    for (const [index, { multi, q, u, upsert }] of listIn(command, "updates").entries()) {
      const found = collection.filter(matches(q))
      for (const document of multi === true ? found : found.slice(0, 1)) {
        n++
        if (change(document, u)) nModified++
      }
      if (found.length === 0 && upsert === true) {
        const made: Document = { _id: new BSON.ObjectId(), ...plainFields(q) }
        change(made, u)
        collection.push(made)
        upserted.push({ index, _id: made["_id"] })
        n++
      }
    }
    return upserted.length === 0 ? { n, nModified, ok: 1 } : { n, nModified, upserted, ok: 1 }
  }

  private delete(namespace: string, command: Document): Document {
    const collection = this.at(namespace)
    let n = 0
    for (const { limit, q } of listIn(command, "deletes")) {
      const found = collection.filter(matches(q))
      for (const document of limit === 1 ? found.slice(0, 1) : found) {
        collection.splice(collection.indexOf(document), 1)
        n++
      }
    }
    return { n, ok: 1 }
  }

  /** `countDocuments` is a pipeline that ends in a sum; of other stages only `$match`, `$skip` and `$limit` are known. */
  private aggregate(namespace: string, command: Document): Document {
    let documents: Array<Document> = this.at(namespace)
    for (const stage of listIn(command, "pipeline")) {
      const [name = ""] = Object.keys(stage)
      if (name === "$match") documents = documents.filter(matches(stage["$match"]))
      else if (name === "$skip") documents = documents.slice(Number(stage["$skip"]))
      else if (name === "$limit") documents = documents.slice(0, Number(stage["$limit"]))
      else if (name === "$group" && same(stage["$group"], { _id: 1, n: { $sum: 1 } })) {
        documents = documents.length === 0 ? [] : [{ _id: 1, n: documents.length }]
      } else return failure(40_324, "Location40324", `the responder knows no stage ${name}`)
    }
    return { cursor: { id: BSON.Long.ZERO, ns: namespace, firstBatch: documents }, ok: 1 }
  }
}
