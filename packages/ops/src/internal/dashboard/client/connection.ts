/** The stream of events, opened again whenever it breaks. */
import { type Message, parser } from "./sse.ts"
import type { Link } from "./status.ts"

/** Why the service does not let anybody in: without its token, or from elsewhere. */
export type Refusal = "token" | "place"

export interface Handlers {
  readonly onMessage: (message: Message) => void
  readonly onLink: (link: Link) => void
  readonly onRefused: (refusal: Refusal) => void
  /** Asked anew for each attempt. */
  readonly token: () => string | undefined
}

const FIRST_PAUSE = 500
const LONGEST_PAUSE = 5_000
/** The service says something every second: one that is silent for so long is gone, whatever the connection says. */
const SILENCE = 10_000

const REFUSALS: Record<number, Refusal> = { 401: "token", 403: "place" }

/** Reads until the stream ends. */
const read = async (body: ReadableStream<Uint8Array>, heard: () => void, handlers: Handlers) => {
  const messages = parser()
  const decoder = new TextDecoder()
  const reader = body.getReader()
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one part after the other is what a stream is
    const part = await reader.read()
    if (part.done) return
    heard()
    for (const message of messages(decoder.decode(part.value, { stream: true }))) handlers.onMessage(message)
  }
}

type Ending = "refused" | "lost"

/** One connection from its beginning to its end. */
const attempt = async (url: string, stop: AbortSignal, handlers: Handlers, opened: () => void): Promise<Ending> => {
  const silence = new AbortController()
  const end = () => silence.abort(new Error(`nothing heard for ${SILENCE / 1000} s`))
  let timer = setTimeout(end, SILENCE)
  const heard = () => {
    clearTimeout(timer)
    timer = setTimeout(end, SILENCE)
  }
  try {
    const token = handlers.token()
    const response = await fetch(url, {
      headers: { accept: "text/event-stream", ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      cache: "no-store",
      credentials: "same-origin",
      signal: AbortSignal.any([stop, silence.signal])
    })
    const refusal = REFUSALS[response.status]
    if (refusal !== undefined) {
      handlers.onLink("refused")
      handlers.onRefused(refusal)
      return "refused"
    }
    if (!response.ok || response.body === null) throw new Error(`it answers ${response.status}`)
    opened()
    handlers.onLink("live")
    await read(response.body, heard, handlers)
    throw new Error("it ended the stream")
  } catch {
    // Whatever it was, the remedy is the same, and the browser's console has it.
    if (!stop.aborted) handlers.onLink("lost")
    return "lost"
  } finally {
    clearTimeout(timer)
    silence.abort()
  }
}

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** Stays connected until it is refused, or stopped by what it returns. */
export const connect = (url: string, handlers: Handlers): () => void => {
  const stop = new AbortController()
  const run = async () => {
    let pause = FIRST_PAUSE
    handlers.onLink("connecting")
    while (!stop.signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- one connection after the other is the point
      const ending = await attempt(url, stop.signal, handlers, () => {
        pause = FIRST_PAUSE
      })
      if (ending === "refused") return
      // oxlint-disable-next-line no-await-in-loop -- as above
      await sleep(pause)
      pause = Math.min(pause * 2, LONGEST_PAUSE)
    }
  }
  void run()
  return () => stop.abort()
}
