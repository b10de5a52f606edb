/**
 * One connection to a fake HTTP server: requests as they come, one answer after the other.
 */
import * as Duration from "effect/Duration"
import type * as Net from "node:net"
import * as Timer from "./timer.ts"

export interface Received {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * What to answer. Infinite times mean never.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reply {
  /** Default 200. */
  readonly status?: number | undefined
  /** Beside `content-length`, which is always sent. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Default: empty. */
  readonly body?: string | Uint8Array | undefined
  /** How long to wait before the headers. Default 0. */
  readonly headersAfter?: Duration.Input | undefined
  /** How long to wait before each piece of the body. Default 0. */
  readonly pieceAfter?: Duration.Input | undefined
  /** Into how many pieces the body is cut. Default 1. */
  readonly pieces?: number | undefined
  /** Ends the connection with a RST after this many bytes of the body; 0: after the headers. */
  readonly resetAfter?: number | undefined
  /** Ends the connection with a RST instead of any answer. */
  readonly reset?: boolean | undefined
}

const HEAD_END = "\r\n\r\n"

/** The body of a request, and where the next one begins; `undefined` while it is not complete. */
const bodyAt = (
  bytes: Buffer,
  start: number,
  headers: Received["headers"]
): { readonly body: Buffer; readonly end: number } | undefined => {
  if (headers["transfer-encoding"] === undefined) {
    const end = start + Number(headers["content-length"] ?? 0)
    return bytes.length < end ? undefined : { body: bytes.subarray(start, end), end }
  }
  const chunks: Array<Buffer> = []
  for (let at = start;;) {
    const line = bytes.indexOf("\r\n", at)
    if (line < 0) return undefined
    const size = Number.parseInt(bytes.toString("latin1", at, line), 16)
    const end = line + 2 + size + 2
    if (bytes.length < end) return undefined
    if (size === 0) return { body: Buffer.concat(chunks), end }
    chunks.push(bytes.subarray(line + 2, end - 2))
    at = end
  }
}

/** The first request in `bytes`, and what follows it. */
const parse = (bytes: Buffer): { readonly request: Received; readonly rest: Buffer } | undefined => {
  const headEnd = bytes.indexOf(HEAD_END)
  if (headEnd < 0) return undefined
  const [first = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n")
  const [method = "", path = ""] = first.split(" ")
  const headers = Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":")
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  }))
  const found = bodyAt(bytes, headEnd + HEAD_END.length, headers)
  if (found === undefined) return undefined
  return {
    request: { method, path, headers, body: found.body.toString("utf8") },
    rest: bytes.subarray(found.end)
  }
}

export class HttpConversation {
  private received: Buffer = Buffer.alloc(0)
  private answering = false
  private readonly socket: Net.Socket
  private readonly timer: (millis: number, f: () => void) => void
  private readonly answer: (request: Received) => Reply

  constructor(socket: Net.Socket, timer: Timer.Timer, answer: (request: Received) => Reply) {
    this.socket = socket
    this.timer = Timer.ofSocket(socket, timer)
    this.answer = answer
    socket.on("data", (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk])
      this.next()
    })
  }

  private after(time: Duration.Input | undefined, f: () => void): void {
    this.timer(Duration.toMillis(Duration.fromInputUnsafe(time ?? 0)), f)
  }

  private next(): void {
    if (this.answering) return
    const parsed = parse(this.received)
    if (parsed === undefined) return
    this.received = parsed.rest
    this.answering = true
    const reply = this.answer(parsed.request)
    if (reply.reset === true) return void this.socket.resetAndDestroy()
    this.after(reply.headersAfter, () => this.writeHead(parsed.request, reply))
  }

  private writeHead(request: Received, reply: Reply): void {
    const body = Buffer.from(reply.body ?? "")
    const headers = { "content-length": String(body.length), ...reply.headers }
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    const sent = request.method === "HEAD" ? Buffer.alloc(0) : body
    const size = Math.max(1, Math.ceil(sent.length / (reply.pieces ?? 1)))
    // A reset overtakes what is not written yet, here and below.
    this.socket.write(
      `HTTP/1.1 ${reply.status ?? 200} Fake\r\n${lines.join("")}\r\n`,
      () => this.writeBody(sent, 0, size, reply)
    )
  }

  private writeBody(body: Buffer, at: number, size: number, reply: Reply): void {
    const { resetAfter = Infinity } = reply
    if (at >= resetAfter) return void this.socket.resetAndDestroy()
    if (at >= body.length) return this.done()
    this.after(reply.pieceAfter, () => {
      const end = Math.min(at + size, body.length, resetAfter)
      this.socket.write(body.subarray(at, end), () => this.writeBody(body, end, size, reply))
    })
  }

  private done(): void {
    this.answering = false
    this.next()
  }
}
