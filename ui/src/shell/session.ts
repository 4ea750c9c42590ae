import { useQuery } from "@tanstack/react-query";
import { ApiError, toError } from "../api/client";

export interface Who {
  member: string;
  role: string;
  project: string;
  environment: string;
  permissions: string[];
}

/** Who is signed in; null where nobody is. The cookie cannot be read here, so the server is asked. */
export function useWho() {
  return useQuery({
    queryKey: ["whoami"],
    staleTime: Infinity,
    retry: (failures, error) => failures < 2 && (error as ApiError).status === 0,
    queryFn: async (): Promise<Who | null> => {
      const response = await call("/api/v1/whoami");
      if (response.status === 401) return null;
      if (!response.ok) throw await toError(response);
      return (await response.json()) as Who;
    },
  });
}

export async function signIn(key: string): Promise<void> {
  const response = await call("/api/v1/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ api_key: key.trim() }),
  });
  if (!response.ok) throw await toError(response);
}

export async function signOut(): Promise<void> {
  await call("/api/v1/session", { method: "DELETE" });
}

async function call(path: string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { credentials: "same-origin", ...init });
  } catch {
    throw new ApiError(0, "unreachable", "The server does not answer.", "Is `mainspring up` running?");
  }
}

/** Whether the caller may do something; the server decides, this only spares a button that would be refused. */
export function may(who: Who | null | undefined, permission: string): boolean {
  const [resource, action] = permission.split(".");
  return [permission, `${resource}.*`, `*.${action}`, "*.*"].some((held) => who?.permissions.includes(held));
}
