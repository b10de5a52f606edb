import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

const integration = ["packages/*/test/integration/**/*.test.ts", "examples/**/test/*.test.ts"]
const elsewhere = ["**/node_modules/**", "**/dist/**"]

export default defineConfig({
  test: {
    // Tests wait more than they work, and on two cores vitest would take one file after the other.
    maxWorkers: Math.max(3, availableParallelism()),
    projects: [
      {
        test: {
          name: "unit",
          include: ["packages/*/test/**/*.test.ts"],
          exclude: [...elsewhere, ...integration],
          // Hours and thousands of borrows on virtual time: a second at rest, several where the machine is shared.
          testTimeout: 30_000
        }
      },
      {
        test: {
          name: "integration",
          include: integration,
          exclude: elsewhere,
          globalSetup: ["packages/testing/src/vitest/postgres.ts", "packages/testing/src/vitest/redis.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000
        }
      }
    ]
  }
})
