/**
 * Runs a task of this repository: `node scripts/launch.mjs <task> [arguments]`, which is what `npm test`, `npm start`
 * and the other root scripts call. It needs Node 20 and npm only, so it is plain JavaScript without dependencies: the
 * first run installs the dependencies (and a newer Node where the machine's own is too old) and remembers that it did;
 * every later run goes straight to the task.
 *
 * The task runs in a process group of its own. A terminal's Ctrl-C arrives here once from the terminal and once more
 * from npm; the group receives it from here exactly once.
 */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const PNPM = "pnpm@12.21.0"
const NODE = "node@24.21.0"
const OLDEST_NODE = 20
const MINIMUM_NODE = [22, 19]
const SETUP_LIMIT_MS = 15 * 60_000
const LOCK_STALE_MS = 60_000
const SAME_SIGNAL_MS = 500
const EXIT_LIMIT_MS = 30_000
const LEFTOVER_LIMIT_MS = 3_000

const tasks = {
  start: { entry: "examples/storefront/storm.ts", about: "the storefront through a storm" },
  test: { entry: "scripts/test.ts", about: "tests and examples: [PATTERN] [--on node|bun|deno]" },
  check: { entry: "scripts/check.ts", about: "types, lint, format and everything else that is checked: [--fix]" },
  build: { entry: "scripts/build.ts", about: "builds the packages and tries them as an installation" },
  example: { entry: "scripts/example.ts", about: "runs an example: NAME [--on node|bun|deno]" }
}

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..")
const stateDir = path.join(root, ".breakwater")
const stampFile = path.join(root, "node_modules", ".breakwater", "setup.json")
const lockFile = path.join(stateDir, "setup.lock")

class LaunchError extends Error {}

/** npm's folder for our `npx` call is incomplete, which npm itself cannot repair. */
class BrokenNpxFolder extends LaunchError {
  constructor(folder, message) {
    super(message)
    this.folder = folder
  }
}

const say = (text) => process.stderr.write(`[breakwater] ${text}\n`)
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const isRecentEnough = (version) => {
  const [major, minor] = version.split(".").map(Number)
  return major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])
}

// ---------------------------------------------------------------------------------------------------------------------
// Set-up: what was installed, and whether it still holds
// ---------------------------------------------------------------------------------------------------------------------

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
      if (interruptedBy !== undefined) return dieOf(interruptedBy)
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

// ---------------------------------------------------------------------------------------------------------------------
// The lock: two launches on a fresh clone must not install at once
// ---------------------------------------------------------------------------------------------------------------------

const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === "EPERM"
  }
}

const readLock = () => {
  try {
    const age = Date.now() - fs.statSync(lockFile).mtimeMs
    const [pid, host] = fs.readFileSync(lockFile, "utf8").split("\n")
    // The holder renews the file's time, so that a pid used again, or one of another container, cannot hold it for ever.
    const stale = age > LOCK_STALE_MS || (host === os.hostname() && !isAlive(Number(pid)))
    return { pid, stale }
  } catch {
    return undefined
  }
}

const tryLock = () => {
  const own = `${lockFile}.${process.pid}`
  fs.writeFileSync(own, `${process.pid}\n${os.hostname()}\n`)
  try {
    // A link appears with its content in one step; creating and then writing would show others an empty file.
    fs.linkSync(own, lockFile)
    return true
  } catch (error) {
    if (error.code !== "EEXIST") throw error
    return false
  } finally {
    fs.rmSync(own, { force: true })
  }
}

/** Removes a stale lock, and only that one: another launch may have replaced it since it was read. */
const breakLock = (holder) => {
  const taken = `${lockFile}.stale.${process.pid}`
  try {
    fs.renameSync(lockFile, taken)
    if (!fs.readFileSync(taken, "utf8").startsWith(`${holder.pid}\n`)) fs.linkSync(taken, lockFile)
  } catch {
    // Somebody else removed it first, or has the lock again: the next attempt finds out.
  }
  fs.rmSync(taken, { force: true })
}

let locked = false

const unlock = () => {
  if (locked) fs.rmSync(lockFile, { force: true })
  locked = false
}

const withLock = async (body) => {
  fs.mkdirSync(stateDir, { recursive: true })
  const deadline = Date.now() + SETUP_LIMIT_MS
  let told = false
  while (!tryLock()) {
    const holder = readLock()
    if (holder?.stale) {
      breakLock(holder)
    } else {
      if (!told && holder !== undefined) say(`waiting for the set-up that process ${holder.pid} is doing`)
      told = true
      if (Date.now() > deadline) {
        throw new LaunchError(`Another set-up did not finish. If none is running, remove ${lockFile}.`)
      }
      await pause(250)
    }
  }
  locked = true
  const renew = setInterval(() => fs.utimesSync(lockFile, new Date(), new Date()), 5_000)
  try {
    return await body()
  } finally {
    clearInterval(renew)
    unlock()
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Processes and signals
// ---------------------------------------------------------------------------------------------------------------------

const signalGroup = (pid, signal) => {
  try {
    process.kill(-pid, signal)
  } catch {
    // The group is gone already, which is what the signal was for.
  }
}

const isGroupAlive = (group) => isAlive(-group)

/** Calls the handler once for the copies of one signal that arrive together (terminal, npm, `timeout`). */
const onSignals = (handler) => {
  const last = new Map()
  const listeners = ["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => {
    const listener = () => {
      const now = Date.now()
      if (now - (last.get(signal) ?? 0) > SAME_SIGNAL_MS) handler(signal)
      last.set(signal, now)
    }
    process.on(signal, listener)
    return [signal, listener]
  })
  return () => listeners.forEach(([signal, listener]) => process.off(signal, listener))
}

/** Calls the handler once npm is gone: killed outright, it tells nobody. */
const onOrphaned = (handler) => {
  // Run by hand, a shell that ends first is no reason to stop.
  if (process.env.npm_lifecycle_event === undefined) return
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    handler()
  }, 500)
  watch.unref()
}

const dieOf = (signal) => {
  unlock()
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

const runTask = ({ node, pnpm }, entry, args) => {
  const env = {
    ...process.env,
    PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ""}`,
    BREAKWATER_PNPM: pnpm
  }
  const follow = pathToFileURL(path.join(root, "scripts", "follow.mjs")).href
  const child = spawn(
    node,
    ["--disable-warning=ExperimentalWarning", `--import=${follow}`, path.join(root, entry), ...args],
    { cwd: root, env, stdio: ["inherit", "inherit", "inherit", "ipc"], detached: true }
  )
  const end = (signal) => {
    // As a terminal would: Ctrl-C and a hang-up reach everything, a termination the task, which ends what it started.
    if (signal === "SIGTERM") child.kill(signal)
    else signalGroup(child.pid, signal)
    setTimeout(() => signalGroup(child.pid, "SIGKILL"), EXIT_LIMIT_MS).unref()
  }
  const forget = onSignals(end)
  onOrphaned(() => end("SIGTERM"))
  child.on("error", (error) => {
    say(`${node} could not be started: ${error.message}`)
    process.exit(1)
  })
  child.on("exit", async (code, signal) => {
    await endLeftovers(child.pid)
    forget()
    if (signal === null) process.exit(code)
    dieOf(signal)
  })
}

/** A task ends what it started; should it have been killed before it could, this does. */
const endLeftovers = async (group) => {
  for (const signal of [undefined, "SIGTERM", "SIGKILL"]) {
    if (signal !== undefined) signalGroup(group, signal)
    const deadline = Date.now() + LEFTOVER_LIMIT_MS
    while (isGroupAlive(group)) {
      if (Date.now() > deadline) break
      await pause(50)
    }
  }
}

const usage = () => {
  const lines = Object.entries(tasks).map(([name, task]) => `  npm run ${name.padEnd(8)} ${task.about}`)
  return `Tasks (arguments follow after --):\n${lines.join("\n")}\n`
}

const main = async () => {
  const [name, ...args] = process.argv.slice(2)
  const task = Object.hasOwn(tasks, name ?? "") ? tasks[name] : undefined
  if (task === undefined) {
    process.stderr.write(usage())
    process.exit(name === undefined ? 0 : 1)
  }
  if (Number(process.versions.node.split(".")[0]) < OLDEST_NODE) {
    throw new LaunchError(`Node ${process.versions.node} is too old to set up: Node ${OLDEST_NODE} or newer is needed.`)
  }
  if (process.platform === "win32") {
    throw new LaunchError("Windows is not supported: its processes know no signals. Use WSL.")
  }
  const key = setupKey()
  const tools = finishedSetup(key) ?? await withLock(async () => finishedSetup(key) ?? await install(key))
  runTask(tools, task.entry, args)
}

main().catch((error) => {
  say(error instanceof LaunchError ? error.message : String(error.stack ?? error))
  process.exit(1)
})
