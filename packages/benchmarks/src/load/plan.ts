/** What `npm run load` is asked to do, and what it refuses. */
import type { OpenLoop } from "@breakwater/testing"
import * as Net from "node:net"
import * as CommandLine from "../../../../scripts/commandLine.ts"

export interface Plan {
  readonly url: URL
  readonly phases: ReadonlyArray<OpenLoop.Phase>
  readonly arrivals: "constant" | "poisson"
  readonly seed: number
  /** Of the requests that were due, from 0 to 1. */
  readonly success: number
  readonly timeoutMillis: number
  /** Beyond it requests count as failed, and are not sent. */
  readonly mostInFlight: number
  readonly json: string | undefined
}

const MOST_RATE = 5000
const MOST_SECONDS = 3600
/** Each is kept until the end, so that the percentiles are exact. */
const MOST_REQUESTS = 1_000_000
/** More under way are no load any more but a heap of promises: the server has long stopped answering. */
const MOST_IN_FLIGHT = 10_000
/** The guides' load. */
const PHASES = "60s@10,120s@50"

/** This machine, by number or by the one name that stands for it: a load generator is a weapon anywhere else. */
const isLoopback = (hostname: string): boolean => {
  const host = hostname.replace(/^\[(.*)\]$/, "$1")
  return host === "localhost" || host === "::1" || (Net.isIPv4(host) && host.startsWith("127."))
}

const refuse = (option: string, value: string, allowed: string): never => {
  throw new CommandLine.UsageError(`${option} is ${value}; allowed is ${allowed}`)
}

const numberOf = (option: string, text: string, least: number, most: number): number => {
  const value = Number(text)
  return value >= least && value <= most ? value : refuse(option, text, `a number from ${least} to ${most}`)
}

const urlOf = (text: string): URL => {
  if (!URL.canParse(text)) refuse("URL", text, "a whole one, such as http://127.0.0.1:3000/products")
  const url = new URL(text)
  // Before anything repeats it. No runtime's fetch takes such a URL.
  if (url.username !== "" || url.password !== "") {
    throw new CommandLine.UsageError("URL has a user or a password; allowed is one without")
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") refuse("URL", text, "http or https")
  return isLoopback(url.hostname) ? url : refuse("URL", text, "a server on this machine: localhost, 127.x.x.x or [::1]")
}

const phasesOf = (text: string): ReadonlyArray<OpenLoop.Phase> => {
  const phases = text.split(",").map((part) => {
    const [, seconds = "", rate = ""] = /^\s*([\d.]+)s@([\d.]+)\s*$/.exec(part) ??
      refuse("--phases", text, `seconds and rates, as ${PHASES}`)
    return {
      seconds: numberOf("--phases, seconds", seconds, 0.1, MOST_SECONDS),
      rate: numberOf("--phases, requests a second", rate, 0.1, MOST_RATE)
    }
  })
  const seconds = phases.reduce((sum, phase) => sum + phase.seconds, 0)
  if (seconds > MOST_SECONDS) refuse("--phases", `${seconds} s in all`, `at most ${MOST_SECONDS} s`)
  const requests = phases.reduce((sum, phase) => sum + phase.seconds * phase.rate, 0)
  if (requests > MOST_REQUESTS) refuse("--phases", `${requests} requests in all`, `at most ${MOST_REQUESTS}`)
  return phases
}

/** Without `--seed`, the seed is `seed`. */
export const parse = (args: ReadonlyArray<string>, seed: number): Plan => {
  const { operands: [url = ""], values } = CommandLine.parse({
    command: "npm run load",
    about: "GET requests to a server on this machine, at a rate that does not wait for answers.",
    options: {
      phases: {
        about: "how long at how many requests a second, one phase after the other",
        value: "10s@5,...",
        absent: phasesOf(PHASES),
        fallback: PHASES,
        read: phasesOf
      },
      poisson: CommandLine.flag("requests at random moments, and not at equal distances"),
      seed: CommandLine.integer("of --poisson", {
        least: 0,
        most: Number.MAX_SAFE_INTEGER,
        absent: seed,
        fallback: "another one each time"
      }),
      success: CommandLine.number("percent that must succeed", { least: 0, most: 100, absent: 95 }),
      timeout: CommandLine.number("seconds until a request is given up", { least: 0.01, most: 60, absent: 5 }),
      json: CommandLine.output("writes what came of it, as JSON")
    },
    operands: { value: "URL", about: "a server on this machine", most: 1, needed: true },
    example: `http://127.0.0.1:3000/products --phases ${PHASES}`
  }, args)
  return {
    url: urlOf(url),
    phases: values.phases,
    arrivals: values.poisson ? "poisson" : "constant",
    seed: values.seed,
    success: values.success / 100,
    timeoutMillis: values.timeout * 1000,
    mostInFlight: MOST_IN_FLIGHT,
    json: values.json
  }
}
