import { expect, it } from "vitest";
import { toError } from "./client";

it("carries what the server said, and what to do", async () => {
  const body = { error: { code: "gate_failed", message: "No.", hint: "Mend it.", details: { report: 1 } } };
  const error = await toError(new Response(JSON.stringify(body), { status: 409 }));
  expect([error.status, error.code, error.message, error.hint, error.details]).toEqual([409, "gate_failed", "No.", "Mend it.", { report: 1 }]);
});

it("has words for an answer that is not ours", async () => {
  const error = await toError(new Response("<html>", { status: 502 }));
  expect([error.status, error.code, error.message]).toEqual([502, "internal", "The server answered 502."]);
});
