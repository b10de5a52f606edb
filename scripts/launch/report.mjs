/** What the launcher says, to people. */

/** A failure that its message explains: shown without a stack. */
export class LaunchError extends Error {}

export const say = (text) => process.stderr.write(`[breakwater] ${text}\n`)

export const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`
