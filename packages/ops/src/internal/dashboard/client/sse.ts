/** Server-sent events out of the text of a response, however it is cut into chunks. */

export interface Message {
  readonly event: string
  readonly data: string
}

/** A message longer than this is no word of ours. */
const MAXIMUM_LENGTH = 4_000_000

const parse = (block: string): Message | undefined => {
  let event = "message"
  const data: Array<string> = []
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":")
    // A line that begins with a colon is a comment: it keeps the connection alive.
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "")
    if (field === "event") event = value
    if (field === "data") data.push(value)
  }
  return data.length === 0 ? undefined : { event, data: data.join("\n") }
}

/** A function that takes chunks and gives the messages that are complete with it. */
export const parser = (): (chunk: string) => ReadonlyArray<Message> => {
  let rest = ""
  return (chunk) => {
    // A carriage return at the end may be half of a line's end.
    const text = rest + chunk
    const held = text.endsWith("\r") ? 1 : 0
    const blocks = text.slice(0, text.length - held).replaceAll(/\r\n?/g, "\n").split("\n\n")
    rest = (blocks.pop() ?? "") + text.slice(text.length - held)
    if (rest.length > MAXIMUM_LENGTH) throw new RangeError(`a message of more than ${MAXIMUM_LENGTH} characters`)
    return blocks.flatMap((block) => parse(block) ?? [])
  }
}
