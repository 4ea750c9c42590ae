"""A client that hangs up at a moment that a test chooses, however slow the machine is."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

from openai import OpenAI
from tests.serving.conftest import eventually


def leave(client: OpenAI, asked: dict[str, Any], when: Callable[[], object]) -> None:
    """Ask for a chat, and hang up once the condition holds, before anything was read of the answer."""
    place = client.base_url
    with closing(HTTPConnection(place.host, place.port, timeout=60)) as connection:
        headers = {"authorization": f"Bearer {client.api_key}", "content-type": "application/json"}
        connection.request("POST", f"{place.path}chat/completions", json.dumps(asked), headers)
        eventually(when)
