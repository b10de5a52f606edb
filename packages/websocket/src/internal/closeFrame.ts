/**
 * What a close frame may say.
 *
 * @internal
 */
import * as Validate from "@breakwater/core/Validate"
import * as CloseCode from "../CloseCode.ts"

/** Bytes that fit into the control frame beside the code. */
const MAX_REASON = 123

/** Throws a `RangeError` for what cannot be sent. */
export const check = (code: number, reason: string): void => {
  if (!CloseCode.isSendable(code)) Validate.refuse("code", code, "1000 to 1003, 1007 to 1014, 3000 to 4999")
  if (Buffer.byteLength(reason) > MAX_REASON) Validate.refuse("reason", reason, `at most ${MAX_REASON} bytes`)
}
