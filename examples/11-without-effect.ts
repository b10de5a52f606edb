// The same pool for code without Effect: promises, `await using`, and an AbortSignal for every wait.
import { PoolError, PromisePool } from "@breakwater/core"
import { setTimeout } from "node:timers/promises"

let printers = 0

await using pool = await PromisePool.start({
  name: "printers",
  open: async (signal) => {
    await setTimeout(50, undefined, { signal }) // the pool aborts a dial that takes too long
    console.log(`  printer ${++printers} on`)
    return { name: `printer ${printers}`, pages: 0 }
  },
  close: ({ name, pages }) => console.log(`  ${name} off after ${pages} pages`),
  size: { max: 2 },
  wait: { timeout: "500 millis" }
})

const print = (pages: number, signal?: AbortSignal) =>
  pool.run(async (printer, stopped) => {
    await setTimeout(10 * pages, undefined, { signal: stopped })
    printer.pages += pages
    return `${pages} pages by ${printer.name}`
  }, { signal, label: `print ${pages} pages` })

console.log("Four jobs at once, two printers:")
console.log(`  ${(await Promise.all([1, 2, 3, 4].map((pages) => print(pages)))).join(", ")}`)

console.log("A job that is called off gives its printer back:")
await print(1000, AbortSignal.timeout(50)).catch((error: Error) => console.log(`  ${error.name}`))
console.log(`  ${pool.stats().used} in use, ${pool.stats().idle} idle`)

console.log("Both are lent out. Who asks meanwhile learns to whom:")
{
  await using first = await pool.acquire({ label: "inventory" })
  await using second = await pool.acquire({ label: "annual report" })
  console.log(`  ${first.item.name} and ${second.item.name} are out`)
  await print(1).catch((error: unknown) => {
    if (!PoolError.isPoolError(error) || error.reason._tag !== "AcquireTimeout") throw error
    const { oldestHolder, stats } = error.reason
    console.log(`  ${stats.used} of ${stats.max} in use, the oldest for "${oldestHolder?.label}"`)
  })
}

console.log("The end of the block closes the pool:")
