import { defineConfig } from "vitest/config";

export default defineConfig({
  oxc: { jsx: { importSource: "preact" } },
  test: { environment: "happy-dom", include: ["test/unit/**/*.test.ts", "test/unit/**/*.test.tsx"] },
});
