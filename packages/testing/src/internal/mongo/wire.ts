/**
 * MongoDB's wire protocol as far as a driver of today speaks it to a server without compression: OP_MSG, and OP_QUERY
 * for the first hello.
 */
import { BSON } from "mongodb"

export type Document = BSON.Document

export interface Request {
  readonly id: number
  /** The first hello comes in the old form and is answered in it. */
  readonly legacy: boolean
  readonly command: Document
  /** The sender wants no answer. */
  readonly silent: boolean
}

const HEADER = 16
const OP_REPLY = 1
const OP_QUERY = 2004
const OP_MSG = 2013

const CHECKSUM_PRESENT = 1
const MORE_TO_COME = 2

/** As a driver would read it: longs as numbers, so that a filter compares like with like. */
const read = (bytes: Buffer): Document => BSON.deserialize(bytes, { promoteLongs: true })

const documentAt = (bytes: Buffer, at: number): { readonly document: Document; readonly end: number } => {
  const end = at + bytes.readInt32LE(at)
  return { document: read(bytes.subarray(at, end)), end }
}

const readMessage = (bytes: Buffer): Pick<Request, "command" | "silent"> => {
  const flags = bytes.readUInt32LE(HEADER)
  const last = bytes.length - ((flags & CHECKSUM_PRESENT) === 0 ? 0 : 4)
  let command: Document = {}
  const sequences: Document = {}
  for (let at = HEADER + 4; at < last;) {
    const kind = bytes[at++]
    if (kind === 0) {
      const { document, end } = documentAt(bytes, at)
      command = document
      at = end
    } else {
      const end = at + bytes.readInt32LE(at)
      const nameEnd = bytes.indexOf(0, at + 4)
      const documents: Array<Document> = []
      for (let next = nameEnd + 1; next < end;) {
        const one = documentAt(bytes, next)
        documents.push(one.document)
        next = one.end
      }
      sequences[bytes.toString("utf8", at + 4, nameEnd)] = documents
      at = end
    }
  }
  return { command: { ...command, ...sequences }, silent: (flags & MORE_TO_COME) !== 0 }
}

const readQuery = (bytes: Buffer): Pick<Request, "command" | "silent"> => {
  const nameEnd = bytes.indexOf(0, HEADER + 4)
  return { command: documentAt(bytes, nameEnd + 9).document, silent: false }
}

/** Takes whole requests off the front of what has arrived. Throws for what is no request. */
export const take = (buffer: Buffer): { readonly requests: ReadonlyArray<Request>; readonly rest: Buffer } => {
  const requests: Array<Request> = []
  let at = 0
  while (buffer.length - at >= HEADER) {
    const length = buffer.readInt32LE(at)
    if (length < HEADER) throw new RangeError(`a message of ${length} bytes`)
    if (buffer.length - at < length) break
    const bytes = buffer.subarray(at, at + length)
    const code = bytes.readInt32LE(12)
    if (code !== OP_MSG && code !== OP_QUERY) throw new RangeError(`operation code ${code}`)
    const legacy = code === OP_QUERY
    requests.push({ id: bytes.readInt32LE(4), legacy, ...legacy ? readQuery(bytes) : readMessage(bytes) })
    at += length
  }
  return { requests, rest: buffer.subarray(at) }
}

export const reply = (request: Request, answer: Document): Buffer => {
  const document = BSON.serialize(answer)
  const prefix = request.legacy ? HEADER + 20 : HEADER + 5
  const bytes = Buffer.alloc(prefix + document.length)
  bytes.writeInt32LE(bytes.length, 0)
  bytes.writeInt32LE(request.id, 8)
  bytes.writeInt32LE(request.legacy ? OP_REPLY : OP_MSG, 12)
  // OP_REPLY: flags, cursor, start, and that one document follows. OP_MSG: flags, and a section of kind 0.
  if (request.legacy) bytes.writeInt32LE(1, HEADER + 16)
  bytes.set(document, prefix)
  return bytes
}
