/**
 * A certificate for a server of a test, and the authority that signed it, made on the spot: nobody else trusts it, and
 * no key of it is ever stored.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Crypto from "node:crypto"
import * as X509 from "./internal/x509.ts"

/**
 * All of it in PEM.
 *
 * @since 0.1.0
 * @category models
 */
export interface TestCertificate {
  /** What a client has to trust: the certificate of the authority. */
  readonly ca: string
  readonly cert: string
  readonly key: string
}

const keys = () => Crypto.generateKeyPairSync("ec", { namedCurve: "P-256" })

/**
 * A certificate for some host names and IPv4 addresses, by an authority of its own. Default: `localhost` and `127.0.0.1`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (hosts: ReadonlyArray<string> = ["localhost", "127.0.0.1"]): Effect.Effect<TestCertificate> =>
  Effect.sync(() => {
    const authority = keys()
    const server = keys()
    const issuer = { commonName: "Breakwater test authority", ...authority }
    return {
      ca: X509.certify(issuer, issuer, X509.authority()),
      cert: X509.certify({ commonName: hosts[0] ?? "nobody", ...server }, issuer, X509.hosts(hosts)),
      key: server.privateKey.export({ type: "pkcs8", format: "pem" }).toString()
    }
  })
