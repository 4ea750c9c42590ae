import { useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { ApiError } from "../api/client";
import { Icon, Mark } from "../kit/icons";
import { signIn } from "./session";

/** Asks for the API key once; the server answers with a cookie that scripts cannot read. */
export function SignIn() {
  const queries = useQueryClient();
  const [key, setKey] = useState("");
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await signIn(key);
      await queries.invalidateQueries();
    } catch (caught) {
      setError(caught as ApiError);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className="signin">
      <form onSubmit={(event) => void submit(event)} aria-labelledby="signin-title">
        <Mark size={32} />
        <h1 id="signin-title">Sign in to Mainspring</h1>
        <p className="dim">Paste an API key. The first start of the server prints the owner's key and keeps it in the home folder.</p>
        <label className="field">
          <span>API key</span>
          <input
            className="input big mono"
            type="password"
            name="api-key"
            placeholder="ms_…"
            autoComplete="current-password"
            autoFocus
            required
            value={key}
            aria-invalid={error !== null}
            aria-describedby={error ? "signin-error" : undefined}
            onChange={(event) => setKey(event.target.value)}
          />
        </label>
        {error && (
          <p className="notice error" id="signin-error" role="alert">
            <Icon name="warn" />
            <span>
              {error.status === 401 ? "This key is not valid. Check that it is whole and has not been revoked." : `${error.message} ${error.hint}`}
            </span>
          </p>
        )}
        <button type="submit" className="btn primary big" disabled={busy || key.trim() === ""}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
        <p className="faint">
          Lost it? <code>cat ~/.mainspring/credentials.json</code> on the server's machine shows the owner's key.
        </p>
      </form>
    </main>
  );
}
