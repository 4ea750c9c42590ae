/** The public REST API: paths and shapes are generated from `openapi.json`; nothing else is talked to. */
import createFetchClient from "openapi-fetch";
import createClient from "openapi-react-query";
import type { paths } from "./schema.gen";

/** What the server says of a request that it refused. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string,
    readonly details: Record<string, unknown> = {},
  ) {
    super(message);
  }
}

export async function toError(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => null);
  const error = (body as { error?: Record<string, unknown> } | null)?.error;
  if (typeof error?.message === "string")
    return new ApiError(response.status, String(error.code), error.message, String(error.hint ?? ""), (error.details ?? {}) as Record<string, unknown>);
  return new ApiError(response.status, "internal", `The server answered ${response.status}.`, "Look into the server's log.");
}

export const api = createFetchClient<paths>({ baseUrl: "/api/v1", credentials: "same-origin" });

/** Told when the session has ended, so that the shell asks for the key again. */
export const session = { ended: () => {} };

api.use({
  async onResponse({ response }) {
    if (response.ok) return;
    if (response.status === 401) session.ended();
    throw await toError(response);
  },
  onError() {
    return new ApiError(0, "unreachable", "The server does not answer.", "Is `mainspring up` running?");
  },
});

/** Keep a file; what is answered names it in other calls. */
export async function upload(content: Blob): Promise<string> {
  const headers = { "content-type": "application/octet-stream" };
  const response = await fetch("/api/v1/files", { method: "POST", credentials: "same-origin", headers, body: content }).catch(() => {
    throw new ApiError(0, "unreachable", "The server does not answer.", "Is `mainspring up` running?");
  });
  if (response.status === 401) session.ended();
  if (!response.ok) throw await toError(response);
  return ((await response.json()) as { sha256: string }).sha256;
}

export const $api = createClient(api);
