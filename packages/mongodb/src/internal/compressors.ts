/**
 * Which compressors the driver will find when it needs one: it offers what it is told to, and fails the first time it
 * must use what is not there.
 *
 * @internal
 */
import { createRequire } from "node:module"
import * as Zlib from "node:zlib"

const canResolveSnappy = (): boolean => {
  try {
    // As the driver itself would look for it.
    createRequire(createRequire(import.meta.url).resolve("mongodb")).resolve("snappy")
    return true
  } catch {
    return false
  }
}

export const canLoad = (name: string): boolean => {
  switch (name) {
    case "zlib":
      return true
    case "zstd":
      return typeof Reflect.get(Zlib, "zstdCompress") === "function"
    case "snappy":
      return canResolveSnappy()
    default:
      return false
  }
}
