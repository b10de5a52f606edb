import { assert, describe, it } from "@effect/vitest"
import { empty, type Model, SPAN, withHappenings, withStats } from "../../src/internal/dashboard/client/model.ts"
import { eventsOf, type PageView, viewOf } from "../../src/internal/dashboard/client/view.ts"
import type { BackendStats, Stats } from "../../src/internal/dashboard/client/wire.ts"
import { backend, circuit, quantiles, stats } from "./stats.ts"

const after = (...words: ReadonlyArray<Stats>): Model => words.reduce(withStats, empty)

const view = (model: Model): PageView => {
  const shown = viewOf(model)
  if (shown === undefined) throw new Error("nothing to show")
  return shown
}

/** The view of one backend that was calm, and then is as given. */
const shown = (now: BackendStats, before = backend()) =>
  view(after(stats(0, { orders: before }), stats(1, { orders: now }))).backends[0]

describe("the dashboard's view", () => {
  it("is nothing before the first word", () => {
    assert.isUndefined(viewOf(empty))
  })

  it("is calm where nothing waits and nothing fails", () => {
    const page = view(after(stats(0, { orders: backend(), cache: backend() })))
    assert.strictEqual(page.headline, "All 2 backends are calm")
    assert.strictEqual(page.tone, "calm")
    assert.deepStrictEqual(page.phases.map(({ state }) => state), ["past", "now", "to come", "to come"])
  })

  it("names what fails first, and why", () => {
    const page = view(after(
      stats(0, { orders: backend(), cache: backend(), feed: backend() }),
      stats(1, {
        orders: backend({ pool: { used: 10, waiting: 4 } }),
        cache: backend({ policy: { circuit: circuit("open") } }),
        feed: backend()
      })
    ))
    assert.strictEqual(page.headline, "cache is failing")
    assert.strictEqual(page.detail, "orders: 4 waiting for 10 connections · cache: the breaker is open")
    assert.strictEqual(page.title, "✕ shop · pools")
  })

  it("shows the numbers of a pool as they were told, and the shares of its bar add up to its size", () => {
    const one = shown(backend({ pool: { used: 3, opening: 1, checking: 1, closing: 1, idle: 2, waiting: 5, max: 10 } }))
    assert.deepStrictEqual([one?.used, one?.opening, one?.idle, one?.waiting, one?.max], ["3", "3", "2", "5", "10"])
    assert.deepStrictEqual(one?.bar, { used: 3, opening: 3, idle: 2, free: 2 })
    assert.strictEqual(one?.barLabel, "3 of 10 in use, 3 opening, 2 idle, 5 waiting")
  })

  it("has a bar that never overflows when a pool was made smaller under its load", () => {
    assert.strictEqual(shown(backend({ pool: { used: 9, max: 4 } }))?.bar.free, 0)
  })

  it("tells each kind of trouble apart", () => {
    const cases: ReadonlyArray<readonly [BackendStats, string, string]> = [
      [backend({ policy: { circuit: circuit("open") } }), "failing", "The breaker is open."],
      [backend({ policy: { circuit: circuit("open", "metricsOnly") } }), "calm", "Nothing waits, nothing fails."],
      [backend({ policy: { circuit: circuit("half-open") } }), "strained", "The breaker is trying again."],
      [backend({ pool: { timedOut: 2 } }), "failing", "2 calls timed out in the queue."],
      [backend({ pool: { unavailable: 1 } }), "failing", "1 call found no server."],
      [backend({ policy: { deadlinesExceeded: 3 } }), "failing", "3 calls past their deadline."],
      [backend({ pool: { used: 10 } }), "strained", "Every connection is in use."],
      [
        backend({ pool: { used: 10 }, others: { share_held_idle: 0.62 } }),
        "strained",
        "Every connection is in use; nothing runs for 62 % of the time that they are held."
      ],
      [backend({ pool: { used: 10 }, others: { share_held_idle: 0.4 } }), "strained", "Every connection is in use."],
      [backend({ pool: { used: 9 }, others: { share_held_idle: 0.9 } }), "calm", "Nothing waits, nothing fails."],
      [backend({ policy: { retries: 1 } }), "strained", "1 retry."],
      [backend({ policy: { attemptTimeouts: 1 } }), "strained", "1 attempt cut short."],
      [backend({ policy: { throttled: 7 } }), "strained", "7 throttled."],
      [
        backend({
          others: { times: { wait: quantiles(1, 100), use: null, heldIdle: null, create: null, operation: null } }
        }),
        "strained",
        "A connection took up to 100 ms to come."
      ],
      [
        backend({ others: { health: { at: stats(1, {}).at - 1000, status: "unhealthy", latency_ms: 1000 } } }),
        "failing",
        "It does not answer its check."
      ],
      [
        // Nobody has asked for long: it says nothing about now.
        backend({ others: { health: { at: stats(1, {}).at - 60_000, status: "unhealthy", latency_ms: 1000 } } }),
        "calm",
        "Nothing waits, nothing fails."
      ]
    ]
    for (const [now, tone, reason] of cases) {
      const one = shown(now)
      assert.deepStrictEqual([one?.tone, one?.reason], [tone, reason])
    }
  })

  it("tells the most telling signs only, and how many more there are", () => {
    const one = shown(backend({
      pool: { timedOut: 2, unavailable: 3, waiting: 1 },
      policy: { circuit: circuit("open"), retries: 2, throttled: 1 }
    }))
    assert.strictEqual(
      one?.reason,
      "The breaker is open; 3 calls found no server; 2 calls timed out in the queue; 1 waiting for 10 connections; and 2 more signs."
    )
  })

  it("does not blame a backend for what happened before the page was opened, nor after a restart", () => {
    const old = backend({ pool: { timedOut: 500, acquired: 9000 } })
    assert.strictEqual(view(after(stats(0, { orders: old }))).tone, "calm")
    const restarted = view(after(stats(0, { orders: old }), stats(1, { orders: backend({ pool: { acquired: 3 } }) })))
    assert.strictEqual(restarted.tone, "calm")
    assert.strictEqual(restarted.tiles.find(({ name }) => name === "Borrows")?.value, "–")
    const failing = view(after(
      stats(0, { orders: old }),
      stats(1, { orders: backend() }),
      stats(2, { orders: backend({ pool: { timedOut: 1 } }) })
    ))
    assert.strictEqual(failing.backends[0]?.reason, "1 call timed out in the queue.")
  })

  it("calls a failure by its name for three seconds, and is calm after that", () => {
    const failed = backend({ pool: { timedOut: 1 } })
    const words = [0, 1, 2, 3, 4].map((second) => stats(second, { orders: second === 0 ? backend() : failed }))
    const tones = words.map((_, index) => view(after(...words.slice(0, index + 1))).tone)
    assert.deepStrictEqual(tones, ["calm", "failing", "failing", "failing", "calm"])
  })

  it("counts borrows a second by the service's own clock", () => {
    const page = view(after(
      stats(0, { orders: backend() }),
      stats(2, { orders: backend({ pool: { acquired: 30 } }) })
    ))
    assert.strictEqual(page.tiles.find(({ name }) => name === "Borrows")?.value, "15")
  })

  it("keeps five minutes and no more, and forgets a backend that left", () => {
    const words = Array.from({ length: 400 }, (_, second) => stats(second, { orders: backend() }))
    const samples = after(...words).backends.get("orders")?.samples ?? []
    assert.strictEqual(samples.length, SPAN / 1000)
    assert.deepStrictEqual([...after(...words, stats(400, { cache: backend() })).backends.keys()], ["cache"])
  })

  it("puts those who hold a connection the longest first, over all backends", () => {
    const holder = (age_ms: number, label: string | null) => ({ age_ms, label, site: null })
    const page = view(after(stats(0, {
      orders: backend({ others: { holders: [holder(5000, "report"), holder(10, null)] } }),
      cache: backend({ others: { holders: [holder(700, "warm")] } })
    })))
    assert.deepStrictEqual(page.holders.map(({ age, backend: of, label }) => [age, of, label]), [
      ["5.0 s", "orders", "report"],
      ["700 ms", "cache", "warm"],
      ["10 ms", "orders", "not named"]
    ])
  })

  it("plots what a backend measures only", () => {
    const measured = backend({
      others: { times: { wait: quantiles(1, 2), use: quantiles(3, 4), heldIdle: null, create: null, operation: null } }
    })
    assert.deepStrictEqual(shown(backend())?.plots.map(({ title }) => title), ["Connections", "Borrows"])
    assert.deepStrictEqual(shown(measured, measured)?.plots.map(({ high, low, title }) => [title, high, low]), [
      ["Connections", "0 in use", "0 waiting"],
      ["Borrows", "0 /s", "0 failed"],
      ["Wait", "2 ms p95", "1 ms p50"],
      ["Time in use", "4 ms p95", "3 ms p50"]
    ])
    const times = { ...measured.times, operation: quantiles(5, 6) }
    const latency = shown(backend({ others: { times } }))
    assert.deepStrictEqual(latency?.plots.map(({ title }) => title), ["Connections", "Borrows", "Wait", "Latency"])
  })

  it("spans what was heard, so that a page that was just opened is not empty", () => {
    const span = (seconds: number) => {
      const { from, to } = view(after(stats(0, { orders: backend() }), stats(seconds, { orders: backend() })))
      return (to - from) / 1000
    }
    assert.deepStrictEqual([1, 60, 61, 121, 299].map(span), [60, 60, 120, 300, 300])
  })

  it("calls lost connections and failed dials by their name, for some seconds", () => {
    const { at } = stats(1, {})
    const lost = [
      { at, backend: "orders", kind: "postgres", tag: "Closed", reason: "PeerClosed" },
      { at, backend: "orders", kind: "postgres", tag: "Closed", reason: "Idle" },
      { at, backend: "orders", kind: "postgres", tag: "DialFailed", cause: "refused" },
      { at, backend: "cache", kind: "redis", tag: "DialFailed", cause: "refused" }
    ]
    const words = (second: number) => stats(second, { orders: backend() })
    const model = withStats(withHappenings(after(words(1)), lost, 0), words(2))
    assert.strictEqual(view(model).backends[0]?.reason, "1 connection lost (peer closed); 1 dial failed.")
    assert.strictEqual(view(withStats(model, words(4))).backends[0]?.tone, "calm")
  })

  it("takes it for ordinary that HTTP servers end what nobody uses, and that watchers leave", () => {
    const closed = (kind: string, reason: string) => {
      const words = (second: number) => stats(second, { one: backend({ others: { kind } }) })
      const event = { at: words(1).at, backend: "one", kind, tag: "Closed", reason }
      const model = withStats(withHappenings(after(words(1)), [event], 0), words(2))
      return [view(model).tone, eventsOf(model, { backend: "", trouble: false })[0]?.tone]
    }
    assert.deepStrictEqual(closed("http", "Broken"), ["calm", "quiet"])
    assert.deepStrictEqual(closed("websocket", "PeerClosed"), ["calm", "quiet"])
    assert.deepStrictEqual(closed("postgres", "Broken"), ["strained", "strained"])
  })

  it("knows what is ordinary for a backend that the page has not heard of before", () => {
    const left = { at: stats(1, {}).at, backend: "feed", kind: "websocket", tag: "Closed", reason: "PeerClosed" }
    const model = withStats(
      withHappenings(empty, [left], 0),
      stats(1, { feed: backend({ others: { kind: "websocket" } }) })
    )
    assert.deepStrictEqual([view(model).tone, model.told[0]?.tone], ["calm", "quiet"])
  })

  it("names watchers that vanished or do not read, and what waits for them", () => {
    const feed = (waiting: number) => backend({ pool: { used: 5, waiting }, others: { kind: "websocket" } })
    const { at } = stats(1, {})
    const closed = (reason: string) => ({ at, backend: "feed", kind: "websocket", tag: "Closed", reason })
    const dropped = [closed("PingTimeout"), closed("SlowReader"), closed("PingTimeout"), closed("PeerClosed")]
    const model = withStats(withHappenings(after(stats(0, { feed: feed(0) })), dropped, 0), stats(1, { feed: feed(1) }))
    const { headline, backends: [one] } = view(model)
    assert.strictEqual(headline, "feed is strained")
    assert.strictEqual(one?.reason, "1 message waiting to be sent; 3 connections lost (ping timeout and slow reader).")
    assert.deepStrictEqual(
      eventsOf(model, { backend: "feed", trouble: true }).map((
        { detail, times, title, tone }
      ) => [title, detail, times, tone]),
      [["Closed", "slow reader", 1, "strained"], ["Closed", "ping timeout", 2, "strained"]]
    )
  })
})

describe("the dashboard's events", () => {
  const at = 1_800_000_000_000

  it("are told the newest first, those alike once with their number, in words", () => {
    const timeouts = [1, 2, 3].map((n) => ({
      at: at + n * 1000,
      backend: "orders",
      kind: "postgres",
      tag: "RetryScheduled",
      attempt: n,
      delay_ms: n * 100,
      cause: "connection lost"
    }))
    const opened = {
      at: at + 2500,
      backend: "orders",
      kind: "postgres",
      tag: "CircuitChanged",
      from: "closed",
      to: "open"
    }
    const model = withHappenings(empty, [opened, ...timeouts], 4)
    const told = eventsOf(model, { trouble: false, backend: "" }).map(({ detail, times, title, tone }) =>
      [title, detail, tone, times] as const
    )
    assert.deepStrictEqual(told, [
      ["Circuit changed", "closed → open", "failing", 1],
      ["Retry scheduled", "attempt 3 · delay 300 ms · connection lost", "strained", 3]
    ])
    assert.strictEqual(model.dropped, 4)
  })

  it("are told anew when they last", () => {
    const many = Array.from(
      { length: 50 },
      (_, n) => ({ at: at + n * 1000, backend: "orders", kind: "postgres", tag: "Unavailable" })
    )
    const told = eventsOf(withHappenings(empty, many, 0), { trouble: false, backend: "" })
    assert.deepStrictEqual(told.map(({ times }) => times), [10, 20, 20])
  })

  it("are filtered by backend and by trouble", () => {
    const model = withHappenings(empty, [
      { at, backend: "orders", kind: "postgres", tag: "Dialed", took_ms: 3 },
      { at, backend: "orders", kind: "postgres", tag: "Closed", reason: "Idle" },
      { at, backend: "orders", kind: "postgres", tag: "Closed", reason: "PeerClosed" },
      { at, backend: "cache", kind: "redis", tag: "DialFailed", cause: "refused", retryIn_ms: 200 }
    ], 0)
    const titles = (filter: Parameters<typeof eventsOf>[1]) =>
      eventsOf(model, filter).map(({ detail, title }) => `${title}: ${detail}`)
    assert.deepStrictEqual(titles({ trouble: true, backend: "" }), [
      "Dial failed: refused · retry in 200 ms",
      "Closed: peer closed"
    ])
    assert.deepStrictEqual(titles({ trouble: true, backend: "orders" }), ["Closed: peer closed"])
    assert.strictEqual(titles({ trouble: false, backend: "" }).length, 4)
  })

  it("are bounded in number and in length", () => {
    const model = Array.from({ length: 1000 }, (_, n) => n).reduce<Model>(
      (before, n) =>
        withHappenings(before, [{
          at: at + n * 60_000,
          backend: "orders",
          kind: "postgres",
          tag: "DialFailed",
          error: "x\n ".repeat(9999)
        }], 0),
      empty
    )
    assert.isAtMost(model.told.length, 400)
    assert.isTrue(model.told.every(({ detail }) => detail.length <= 300))
  })
})
