/**
 * Bodies that come compressed, read decompressed and bounded: a few kilobytes on the wire can be gigabytes.
 *
 * @internal
 */
import * as Stream from "node:stream"
import * as Zlib from "node:zlib"
import { HttpError, isHttpError } from "../HttpError.ts"
import type { Incoming } from "./exchange.ts"
import type { Settings } from "./settings.ts"

const decoders: Record<string, () => Stream.Transform> = {
  gzip: () => Zlib.createGunzip(),
  "x-gzip": () => Zlib.createGunzip(),
  deflate: () => Zlib.createInflate(),
  br: () => Zlib.createBrotliDecompress(),
  // Not on every runtime.
  ...(typeof Zlib.createZstdDecompress === "function" ? { zstd: () => Zlib.createZstdDecompress() } : undefined)
}

/** What a request says it understands. */
export const ACCEPTED = Object.keys(decoders).filter((name) => name !== "x-gzip").join(", ")

/** More layers than this are an attack, or a mistake. */
const MAX_LAYERS = 2

const bounded = (max: number, tooLarge: () => HttpError): Stream.Transform => {
  let bytes = 0
  return new Stream.Transform({
    transform(chunk: Buffer, _encoding, callback) {
      bytes += chunk.byteLength
      if (bytes > max) callback(tooLarge())
      else callback(null, chunk)
    }
  })
}

const one = (header: string | Array<string> | undefined): string =>
  Array.isArray(header) ? header.join(",") : header ?? ""

const isEmpty = (incoming: Incoming, method: string): boolean =>
  method === "HEAD" || incoming.status === 204 || incoming.status === 304 || incoming.headers["content-length"] === "0"

/** The response with its body decompressed; unchanged where it is not compressed, or in a way that is not known. */
export const decode = (incoming: Incoming, method: string, settings: Settings): Incoming => {
  const max = settings.decompressMax
  const { "content-encoding": encoding, "content-length": _, ...headers } = incoming.headers
  const layers = one(encoding).toLowerCase().split(",").map((name) => name.trim()).filter((name) =>
    name !== "" && name !== "identity"
  )
  if (max === undefined || layers.length === 0 || layers.length > MAX_LAYERS || isEmpty(incoming, method)) {
    return incoming
  }
  const transforms = layers.toReversed().flatMap((name) => decoders[name]?.() ?? [])
  if (transforms.length < layers.length) return incoming
  const at = { client: settings.name, origin: incoming.origin }
  const last = bounded(max, () => new HttpError({ _tag: "BodyTooLarge", ...at, max }))
  // Wraps what the decoders say, before `last` tells its reader.
  const fail = (error: Error) =>
    last.destroy(isHttpError(error) ? error : new HttpError({ _tag: "InvalidResponse", ...at, cause: error }))
  for (const transform of transforms) transform.once("error", fail)
  incoming.body.once("error", fail)
  last.on("error", () => {})
  Stream.pipeline([incoming.body, ...transforms, last], () => {})
  return { ...incoming, headers, body: last }
}
