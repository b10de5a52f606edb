import * as Config from "effect/Config"
import * as Option from "effect/Option"
import type { Options } from "../Policy.ts"

const modes = ["automatic", "forcedOpen", "metricsOnly", "disabled"] as const

type Given<T> = { readonly [K in keyof T]?: T[K] extends Option.Option<infer A> ? A : never }

// Without what is not given: it must not hide a default.
const given = <T extends Readonly<Record<string, Option.Option<unknown>>>>(read: T): Given<T> => {
  const entries = Object.entries(read).flatMap(([name, value]) => Option.isSome(value) ? [[name, value.value]] : [])
  // The same keys, but for those that held nothing.
  return Object.fromEntries(entries) as Given<T>
}

/** The settings that operators may give, over those of the program. */
export const settings = (prefix: string, defaults: Options): Config.Config<Options> => {
  const name = (suffix: string) => `${prefix}_${suffix}`
  const whole = Config.all({
    deadline: Config.option(Config.Duration(name("DEADLINE"))),
    timeout: Config.option(Config.Duration(name("TIMEOUT")))
  })
  const times = Config.option(Config.Int(name("RETRY_TIMES")))
  const breaker = Config.all({
    window: Config.option(Config.Int(name("BREAKER_WINDOW"))),
    minimumCalls: Config.option(Config.Int(name("BREAKER_MINIMUM_CALLS"))),
    failureRate: Config.option(Config.Number(name("BREAKER_FAILURE_RATE"))),
    openFor: Config.option(Config.Duration(name("BREAKER_OPEN_FOR"))),
    halfOpenCalls: Config.option(Config.Int(name("BREAKER_HALF_OPEN_CALLS"))),
    mode: Config.option(Config.Literals(modes, name("BREAKER_MODE")))
  })
  return Config.map(Config.all({ whole, times, breaker }), (read): Options => ({
    ...defaults,
    ...given(read.whole),
    ...Option.isSome(read.times) && { retry: { ...defaults.retry, times: read.times.value } },
    ...Object.values(read.breaker).some((one) => Option.isSome<unknown>(one)) && {
      breaker: { ...defaults.breaker, ...given(read.breaker) }
    }
  }))
}
