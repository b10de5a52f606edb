import type { PolicyError, PoolError } from "@breakwater/core"
import { Http, HttpError } from "@breakwater/http"
import { Config, Effect, type Layer, type Redacted } from "effect"
import { HttpClient, type HttpClientError } from "effect/http"
import { describe, expect, it } from "tstyche"

declare const url: Redacted.Redacted

class Payments extends Http.Service<Payments>()("payments") {}

describe("Http", () => {
  it("gives HttpClient and fails as ConfigError only", () => {
    expect(Http.layer({ name: "payments", url })).type.toBe<
      Layer.Layer<Http.Http | HttpClient.HttpClient, Config.ConfigError>
    >()
    expect(Http.layerConfig({ name: Config.succeed("payments") })).type.toBe<
      Layer.Layer<Http.Http | HttpClient.HttpClient, Config.ConfigError>
    >()
  })

  it("keeps Effect's own errors on requests, with the typed failure inside", () => {
    expect(Effect.flatMap(HttpClient.HttpClient, (client) => client.get("/"))).type.toBeAssignableTo<
      Effect.Effect<unknown, HttpClientError.HttpClientError, HttpClient.HttpClient>
    >()
    expect<HttpError.Failure>().type.toBe<HttpError.HttpError | PoolError.PoolError | PolicyError.PolicyError>()
  })

  it("gives a service a tag of its own, and HttpClient only where it is asked for", () => {
    expect(Payments.layer({ url })).type.toBe<Layer.Layer<Payments, Config.ConfigError>>()
    expect(Payments.clientLayer({ url })).type.toBe<
      Layer.Layer<Payments | HttpClient.HttpClient, Config.ConfigError>
    >()
  })

  it("refuses options that do not exist, and a URL that is not redacted", () => {
    expect(Http.make).type.not.toBeCallableWith({ name: "payments", limit: 5 })
    expect(Http.make).type.not.toBeCallableWith({ name: "payments", url: "http://a" })
  })
})
