"""The installation's own secret: one file in the home folder, from which a key for each purpose is derived."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from mainspring.kernel.errors import Invalid


class Keyring:
    """Keys derived from one 256-bit secret by HMAC-SHA256 over the purpose (NIST SP 800-108, one block)."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise Invalid("The secret file is too short.", hint="Restore secret.key from your backup.")
        self._secret = secret

    def key(self, purpose: str) -> bytes:
        """Return the 32-byte key for a purpose such as `audit` or `api-keys`."""
        return hmac.new(self._secret, b"mainspring/" + purpose.encode(), hashlib.sha256).digest()

    def pseudonym(self, project: str, user_id: str) -> str:
        """Return what stands for an end user where nobody may read who it is: the same for the same user."""
        text = user_id.encode(errors="surrogatepass")
        return f"user:{hmac.new(self.key(f'users/{project}'), text, hashlib.sha256).hexdigest()[:32]}"

    @classmethod
    def open(cls, path: Path) -> Keyring:
        """Read the secret of an installation, or make one (mode 0600) where there is none."""
        try:
            return cls(bytes.fromhex(path.read_text().strip()))
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return cls(bytes.fromhex(path.read_text().strip()))
