/** Installs the dependencies, and a newer Node where the machine's own is too old; once, and remembers that it did. */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { withLock } from "./lock.mjs"
import { Interrupted, onOrphaned, onSignals, signalGroup } from "./processes.mjs"
import { LaunchError, say, seconds } from "./report.mjs"

const PNPM = "pnpm@12.21.0"
const NODE = "node@24.21.0"
const MINIMUM_NODE = [22, 19]
const SETUP_LIMIT_MS = 15 * 60_000

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..")
const stateDir = path.join(root, ".breakwater")
const stampFile = path.join(root, "node_modules", ".breakwater", "setup.json")

/** npm's folder for our `npx` call is incomplete, which npm itself cannot repair. */
class BrokenNpxFolder extends LaunchError {
  constructor(folder, message) {
    super(message)
    this.folder = folder
  }
}

const isRecentEnough = (version) => {
  const [major, minor] = version.split(".").map(Number)
  return major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])
}

const manifests = () => {
  const packages = fs.readdirSync(path.join(root, "packages"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `packages/${entry.name}/package.json`)
  return ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json", "examples/package.json", ...packages.toSorted()]
    .filter((file) => fs.existsSync(path.join(root, file)))
}

/** What of a package.json an installation depends on: a change of `exports`, say, needs no new one. */
const installed = (file) => {
  const text = fs.readFileSync(path.join(root, file), "utf8")
  if (!file.endsWith(".json")) return text
  const { bin, dependencies, devDependencies, name, optionalDependencies, peerDependencies, version } = JSON.parse(text)
  return JSON.stringify([name, version, bin, dependencies, devDependencies, optionalDependencies, peerDependencies])
}

const setupKey = () => {
  const hash = createHash("sha256")
  hash.update([PNPM, NODE, root, process.platform, process.arch].join("\n"))
  for (const file of manifests()) hash.update(`\n${file}\n${installed(file)}`)
  return hash.digest("hex")
}

/** Where Node and pnpm are, if the finished set-up still holds, else undefined. */
const finishedSetup = (key) => {
  try {
    const stamp = JSON.parse(fs.readFileSync(stampFile, "utf8"))
    const tools = isRecentEnough(process.versions.node) ? { ...stamp.tools, node: process.execPath } : stamp.tools
    fs.accessSync(tools.node, fs.constants.X_OK)
    fs.accessSync(tools.pnpm, fs.constants.X_OK)
    return stamp.key === key ? tools : undefined
  } catch {
    // No stamp, one that cannot be read, or a tool that is gone from npm's cache all mean the same: set up again.
    return undefined
  }
}

const networkTrouble =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET|FETCH_|network|ENOTCACHED/i

const explain = (output, code) => {
  if (/ENOSPC|no space left/i.test(output)) {
    return "The disk is full. Free about 1 GB and run the same command again."
  }
  if (/OUTDATED_LOCKFILE|frozen-lockfile/i.test(output)) {
    return "pnpm-lock.yaml does not match a package.json. Whoever changed a dependency has to commit the lockfile: " +
      `npx --package=${PNPM} -c 'pnpm install --no-frozen-lockfile'`
  }
  if (networkTrouble.test(output)) {
    return "The package registry could not be reached. Check the network, the proxy and `npm config get registry`, " +
      "then run the same command again; what was already downloaded is kept."
  }
  if (/EACCES|EPERM|EROFS|permission denied/i.test(output)) {
    return `A file could not be written. Check who owns ${root} and the npm cache (\`npm config get cache\`).`
  }
  return `npm's own message is above (exit code ${code}).`
}

const inheritedWithoutNpmRun = () => {
  // What `npm run` says about itself would be taken by the nested npx for its own settings.
  const env = { ...process.env, CI: "true", NPM_CONFIG_UPDATE_NOTIFIER: "false" }
  for (const name of Object.keys(env)) {
    if (/^npm_(package|lifecycle|config_local_prefix|config_global_prefix|command|execpath)/.test(name)) {
      delete env[name]
    }
  }
  return env
}

/** A second attempt after an earlier one was cut off in the middle of npm's work. */
const runNpxRepaired = async (args, env) => {
  try {
    await runNpx(args, env)
  } catch (error) {
    if (!(error instanceof BrokenNpxFolder)) throw error
    say(`npm left ${error.folder} incomplete when it was interrupted: removing it and trying once more`)
    fs.rmSync(error.folder, { recursive: true, force: true })
    await runNpx(args, env)
  }
}

const runNpx = (args, env) =>
  new Promise((resolve, reject) => {
    const child = spawn("npx", args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"], detached: true })
    let tail = ""
    let lastOutput = Date.now()
    const began = Date.now()
    const collect = (chunk) => {
      lastOutput = Date.now()
      tail = (tail + chunk).slice(-65_536)
      process.stderr.write(chunk)
    }
    child.stdout.on("data", collect)
    child.stderr.on("data", collect)
    const heartbeat = setInterval(() => {
      if (Date.now() - lastOutput > 10_000) say(`still installing, ${seconds(began)} so far`)
    }, 10_000)
    const stop = (signal) => signalGroup(child.pid, signal)
    onOrphaned(() => stop("SIGKILL"))
    const limit = setTimeout(() => {
      tail += "\nETIMEDOUT"
      say(`giving up after ${seconds(began)}`)
      stop("SIGKILL")
    }, SETUP_LIMIT_MS)
    let interruptedBy
    const forget = onSignals((signal) => {
      interruptedBy ??= signal
      stop(signal)
      setTimeout(() => stop("SIGKILL"), 3_000).unref()
    })
    const done = () => {
      clearInterval(heartbeat)
      clearTimeout(limit)
      forget()
    }
    child.on("error", (error) => {
      done()
      reject(
        new LaunchError(
          error.code === "ENOENT"
            ? "npx was not found. It comes with npm: install npm 10 or newer (it is part of the Node installers)."
            : `npx could not be started: ${error.message}`
        )
      )
    })
    child.on("close", (code, signal) => {
      done()
      if (interruptedBy !== undefined) return reject(new Interrupted(interruptedBy))
      if (code === 0) return resolve(undefined)
      const message = `Set-up failed. ${explain(tail, code ?? signal)}`
      const broken = /ENOENT.*'(.*[\\/]_npx[\\/][0-9a-f]+)[\\/]/.exec(tail)?.[1]
      reject(broken === undefined ? new LaunchError(message) : new BrokenNpxFolder(broken, message))
    })
  })

const install = async (key) => {
  const ownNode = isRecentEnough(process.versions.node)
  const began = Date.now()
  say(`setting up: installing the dependencies with ${PNPM}, as pnpm-lock.yaml fixes them (once; later runs skip this)`)
  if (!ownNode) {
    say(`Node ${process.versions.node} is older than ${MINIMUM_NODE.join(".")}: fetching ${NODE} from npm as well`)
  }
  const toolsFile = path.join(stateDir, `tools-${process.pid}.txt`)
  const env = { ...inheritedWithoutNpmRun(), BREAKWATER_TOOLS_FILE: toolsFile }
  const packages = ownNode ? [PNPM] : [PNPM, NODE]
  const command = "pnpm install --frozen-lockfile --reporter=append-only && " +
    "node -p process.execPath >\"$BREAKWATER_TOOLS_FILE\" && command -v pnpm >>\"$BREAKWATER_TOOLS_FILE\""
  let tools
  try {
    await runNpxRepaired(
      ["--yes", "--prefer-offline", ...packages.map((name) => `--package=${name}`), "-c", command],
      env
    )
    const [node, pnpm] = fs.readFileSync(toolsFile, "utf8").trim().split("\n")
    tools = { node: ownNode ? process.execPath : node, pnpm }
  } finally {
    fs.rmSync(toolsFile, { force: true })
  }
  await requireRecentNode(tools.node)
  fs.mkdirSync(path.dirname(stampFile), { recursive: true })
  fs.writeFileSync(`${stampFile}.${process.pid}`, JSON.stringify({ key, tools }))
  fs.renameSync(`${stampFile}.${process.pid}`, stampFile)
  say(`set-up finished in ${seconds(began)}`)
  return tools
}

/** npm skips the download of Node where install scripts are switched off, which shows only here. */
const requireRecentNode = (node) =>
  new Promise((resolve, reject) => {
    const child = spawn(node, ["-p", "process.versions.node"], { stdio: ["ignore", "pipe", "ignore"], timeout: 30_000 })
    let version = ""
    child.stdout.on("data", (chunk) => version += chunk)
    const refuse = () =>
      reject(
        new LaunchError(
          `Node ${MINIMUM_NODE.join(".")} or newer is needed and npm's package ${NODE} did not provide it ` +
            `(got ${version.trim() || "nothing"} from ${node}). Install a newer Node, or allow npm's install scripts.`
        )
      )
    child.on("error", refuse)
    child.on("close", () => isRecentEnough(version) ? resolve(undefined) : refuse())
  })

/** Where Node and pnpm are, set up now if they were not before. */
export const setUp = async () => {
  const key = setupKey()
  const finished = finishedSetup(key)
  if (finished !== undefined) return finished
  fs.mkdirSync(stateDir, { recursive: true })
  const lockFile = path.join(stateDir, "setup.lock")
  return withLock(lockFile, SETUP_LIMIT_MS, async () => finishedSetup(key) ?? await install(key))
}
