import * as fs from "node:fs"

/** Of the package as it is installed here. */
export const versionOf = (name: string): string => {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  // The packages' own manifests.
  const manifest: { readonly version: string } = JSON.parse(fs.readFileSync(file, "utf8"))
  return manifest.version
}
