import { defineConfig } from "vitest/config"

const integration = ["packages/*/test/integration/**/*.test.ts", "examples/**/test/*.test.ts"]
const elsewhere = ["**/node_modules/**", "**/dist/**"]

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["packages/*/test/**/*.test.ts"],
          exclude: [...elsewhere, ...integration]
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
