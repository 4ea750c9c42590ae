"""The first start: an owner, a key, and the credentials file that lets the command line on this machine in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mainspring.kernel.platform import Platform


def ensure_owner(platform: Platform, url: str) -> str:
    """Make the owner and their key where the installation has none, and return the key once; else return "".

    The credentials file gets the server's present address at each start.
    """
    from mainspring.workspace.first import first_start

    path = platform.home / "credentials.json"
    made = first_start(platform)
    if made is not None:
        write_credentials(path, {"url": url, "api_key": made.secret, "project": "default"})
        return made.secret
    try:
        held: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return ""  # removed on purpose: whoever did it holds the key
    if held.get("url") != url:
        write_credentials(path, {**held, "url": url})
    return ""


def write_credentials(path: Path, content: dict[str, Any]) -> None:
    """Write the file whole, with mode 0600 from the first byte on."""
    draft = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(json.dumps(content, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
