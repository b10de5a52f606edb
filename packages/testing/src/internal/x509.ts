/**
 * Just enough of X.509 (RFC 5280) to certify a server: DER by hand, since Node makes keys and signatures but no
 * certificates, and not every machine has an openssl.
 */
import * as Crypto from "node:crypto"
import * as Net from "node:net"

export interface Subject {
  readonly commonName: string
  readonly publicKey: Crypto.KeyObject
}

export interface Issuer {
  readonly commonName: string
  readonly privateKey: Crypto.KeyObject
}

/** A tag, the length, the contents. */
const der = (tag: number, ...contents: ReadonlyArray<Uint8Array>): Buffer => {
  const body = Buffer.concat(contents)
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body])
  const hex = body.length.toString(16)
  const length = Buffer.from(hex.padStart(hex.length + hex.length % 2, "0"), "hex")
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length), length, body])
}

const sequence = (...contents: ReadonlyArray<Uint8Array>) => der(0x30, ...contents)
const explicit = (n: number, content: Uint8Array) => der(0xa0 | n, content)
const bits = (content: Uint8Array) => der(0x03, Buffer.of(0), content)
const octets = (content: Uint8Array) => der(0x04, content)
const utf8 = (text: string) => der(0x0c, Buffer.from(text, "utf8"))
const identifier = (hex: string) => der(0x06, Buffer.from(hex, "hex"))
const yes = der(0x01, Buffer.of(0xff))

const COMMON_NAME = identifier("550403")
const ECDSA_WITH_SHA256 = sequence(identifier("2a8648ce3d040302"))
const BASIC_CONSTRAINTS = identifier("551d13")
const SUBJECT_ALT_NAME = identifier("551d11")

/** All of the time that has two digits for its year. */
const VALIDITY = sequence(der(0x17, Buffer.from("200101000000Z")), der(0x17, Buffer.from("491231235959Z")))

const nameOf = (commonName: string) => sequence(der(0x31, sequence(COMMON_NAME, utf8(commonName))))

const altName = (host: string): Buffer =>
  Net.isIPv4(host) ? der(0x87, Buffer.from(host.split(".").map(Number))) : der(0x82, Buffer.from(host, "ascii"))

/** Marks who may certify others. */
export const authority = (): Buffer => sequence(BASIC_CONSTRAINTS, yes, octets(sequence(yes)))

/** The names and IPv4 addresses that a server is asked for. */
export const hosts = (names: ReadonlyArray<string>): Buffer =>
  sequence(SUBJECT_ALT_NAME, octets(sequence(...names.map(altName))))

export const certify = (subject: Subject, issuer: Issuer, extension: Buffer): string => {
  // Positive: its first bit is 0. And not empty: its second one is 1.
  const serial = Crypto.randomBytes(16)
  serial[0] = (serial[0] ?? 0) & 0x7f | 0x40
  const body = sequence(
    explicit(0, der(0x02, Buffer.of(2))), // version 3
    der(0x02, serial),
    ECDSA_WITH_SHA256,
    nameOf(issuer.commonName),
    VALIDITY,
    nameOf(subject.commonName),
    subject.publicKey.export({ type: "spki", format: "der" }),
    explicit(3, sequence(extension))
  )
  const signature = Crypto.sign("sha256", body, issuer.privateKey)
  const lines = sequence(body, ECDSA_WITH_SHA256, bits(signature)).toString("base64").replaceAll(/.{64}/g, "$&\n")
  return `-----BEGIN CERTIFICATE-----\n${lines.trimEnd()}\n-----END CERTIFICATE-----\n`
}
