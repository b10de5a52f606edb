/** What `npm run load` is asked to do, and what it refuses. */
import type { OpenLoop } from "@breakwater/testing"
import * as Net from "node:net"
import { parseArgs } from "node:util"

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

/** A mistake in the command line. */
export class PlanError extends Error {}

const MOST_RATE = 5000
const MOST_SECONDS = 3600
/** Each is kept until the end, so that the percentiles are exact. */
const MOST_REQUESTS = 1_000_000
/** More under way are no load any more but a heap of promises: the server has long stopped answering. */
const MOST_IN_FLIGHT = 10_000
/** The guides' load. */
const PHASES = "60s@10,120s@50"

export const usage =
  `npm run load -- URL [--phases ${PHASES}] [--poisson] [--seed N] [--success 95] [--timeout 5] [--json FILE]`

/** This machine, by number or by the one name that stands for it: a load generator is a weapon anywhere else. */
const isLoopback = (hostname: string): boolean => {
  const host = hostname.replace(/^\[(.*)\]$/, "$1")
  return host === "localhost" || host === "::1" || (Net.isIPv4(host) && host.startsWith("127."))
}

const refuse = (option: string, value: string, allowed: string): never => {
  throw new PlanError(`${option} is ${value}; allowed is ${allowed}`)
}

const numberOf = (option: string, text: string, least: number, most: number): number => {
  const value = text.trim() === "" ? Number.NaN : Number(text)
  return value >= least && value <= most ? value : refuse(option, text, `a number from ${least} to ${most}`)
}

const urlOf = (text: string | undefined): URL => {
  if (text === undefined) throw new PlanError(`a URL is missing: ${usage}`)
  if (!URL.canParse(text)) refuse("URL", text, "a whole one, such as http://127.0.0.1:3000/products")
  const url = new URL(text)
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

export const parse = (args: ReadonlyArray<string>, seed: number): Plan => {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      phases: { type: "string", default: PHASES },
      poisson: { type: "boolean", default: false },
      seed: { type: "string", default: String(seed) },
      success: { type: "string", default: "95" },
      timeout: { type: "string", default: "5" },
      json: { type: "string" }
    }
  })
  const [url, ...others] = positionals
  if (others.length > 0) refuse("URL", positionals.join(" "), "one")
  return {
    url: urlOf(url),
    phases: phasesOf(values.phases),
    arrivals: values.poisson ? "poisson" : "constant",
    seed: numberOf("--seed", values.seed, 0, Number.MAX_SAFE_INTEGER),
    success: numberOf("--success", values.success, 0, 100) / 100,
    timeoutMillis: numberOf("--timeout", values.timeout, 0.01, 60) * 1000,
    mostInFlight: MOST_IN_FLIGHT,
    json: values.json
  }
}
