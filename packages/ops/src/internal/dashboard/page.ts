/**
 * The dashboard as it is served.
 *
 * @internal
 */

/** @internal */
export const html: string =
  "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Pools</title></head><body><h1>Pools</h1></body></html>"

/** @internal */
export const contentSecurityPolicy: string = "default-src 'none'; connect-src 'self'; frame-ancestors 'none'"
