"""Ask a server whether it is ready, with nothing but the standard library."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Readiness:
    """What `/readyz` said; `missing` maps each part that is not ready to what is wrong with it."""

    reached: bool
    ready: bool
    missing: dict[str, str] = field(default_factory=dict)


def ready(url: str, timeout: float = 5.0) -> Readiness:
    """Ask `/readyz` of the server at `url`, waiting at most `timeout` seconds."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=timeout)
    try:
        connection.request("GET", "/readyz", headers={"Connection": "close"})
        reply = connection.getresponse()
        body = json.loads(reply.read(65536))
        return Readiness(True, reply.status == 200, {str(k): str(v) for k, v in body.get("missing", {}).items()})
    except (OSError, ValueError, AttributeError, http.client.HTTPException):
        return Readiness(False, False)
    finally:
        connection.close()
