import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

declare const process: { env: Record<string, string | undefined> };

const server = process.env.MAINSPRING_URL ?? "http://127.0.0.1:7070";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    // A data: URL would need an exception in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "third-party-licenses.md" },
    manifest: "manifest.json",
    target: "es2022",
  },
  server: { proxy: { "/api": server, "/v1": server } },
  test: { include: ["src/**/*.test.{ts,tsx}"] },
});
