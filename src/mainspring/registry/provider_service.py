"""The operations on providers."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Annotated, Any

from pydantic import StringConstraints

from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, Secret, Text
from mainspring.kernel.service import Service
from mainspring.registry import providers
from mainspring.registry.models import Connect, Patience, Provider, ProviderCheck, ProviderKind, Wait
from mainspring.registry.providers import Remote
from mainspring.safety import outgoing

Url = Annotated[str, StringConstraints(min_length=8, max_length=2000)]
_LARGEST = 8 << 20
_MOST = 1000


class Providers(Service):
    """Providers: servers of models elsewhere."""

    noun = "provider"

    @operation("POST /providers", permission="provider.write", status=201)
    def create(
        self,
        name: Name,
        url: Url,
        *,
        kind: ProviderKind = "openai",
        api_key: Secret = "",
        connect_seconds: Connect = 5.0,
        first_token_seconds: Wait = 120.0,
        between_seconds: Wait = 60.0,
        total_seconds: Wait = 600.0,
        note: Text = "",
    ) -> Provider:
        """Name a server of models and how it is reached; its key is sealed, bound to its host, and never shown."""
        patience = Patience(
            connect_seconds=connect_seconds,
            first_token_seconds=first_token_seconds,
            between_seconds=between_seconds,
            total_seconds=total_seconds,
        )
        with self.begin() as tx:
            return providers.add(tx, name, kind, url, api_key=api_key, patience=patience, note=note)

    @operation("PATCH /providers/{name}", permission="provider.write")
    def update(
        self,
        name: Name,
        *,
        url: Url | None = None,
        api_key: Secret | None = None,
        connect_seconds: Connect | None = None,
        first_token_seconds: Wait | None = None,
        between_seconds: Wait | None = None,
        total_seconds: Wait | None = None,
        note: Text | None = None,
    ) -> Provider:
        """Change what is given; another host asks for the key again, and an empty key takes it away."""
        given = {
            "connect_seconds": connect_seconds,
            "first_token_seconds": first_token_seconds,
            "between_seconds": between_seconds,
            "total_seconds": total_seconds,
        }
        patience = {part: value for part, value in given.items() if value is not None}
        with self.begin() as tx:
            return providers.change(tx, name, url=url, api_key=api_key, patience=patience, note=note)

    @operation("GET /providers/{name}", permission="provider.read", mcp=True)
    def get(self, name: Name) -> Provider:
        """Show a provider, without its key."""
        with self.read() as tx:
            return providers.get(tx, name)

    @operation("GET /providers", permission="provider.read", mcp=True)
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[Provider]:
        """List the providers by name, without their keys."""
        with self.read() as tx:
            return providers.page(tx, limit, cursor)

    @operation("DELETE /providers/{name}", permission="provider.write")
    def delete(self, name: Name) -> dict[str, str]:
        """Forget a provider and its key; models that it serves answer no more until there is one of its name."""
        with self.begin() as tx:
            providers.remove(tx, name)
        return {"deleted": name}

    @operation("POST /providers/{name}/check", permission="provider.use")
    def check(self, name: Name) -> ProviderCheck:
        """Ask a provider for its models with its key, and tell how it answered."""
        with self.read() as tx:
            found = providers.remote(tx, name, "")
        allowed = bool(self.platform.settings[providers.SETTING])
        begun = time.perf_counter()
        status, message, models = asyncio.run(_ask(found, allowed))
        spent = (time.perf_counter() - begun) * 1000
        ok = status == 200 and not message
        return ProviderCheck(
            provider=name, ok=ok, status=status, message=message, milliseconds=spent, models=models[:_MOST]
        )


async def _ask(remote: Remote, allowed: bool) -> tuple[int, str, list[str]]:
    """Return the status of the list of models, what is wrong with it, and the names in it."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=30, sock_connect=remote.patience.connect_seconds)
    url, headers = f"{remote.url}/models", providers.headers(remote)
    try:
        async with (
            outgoing.session(allow_private=allowed, setting=providers.SETTING, timeout=timeout) as session,
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            data = bytearray()
            async for chunk in response.content.iter_any():
                data += chunk
                if len(data) > _LARGEST:
                    return response.status, f"The list of models is over {_LARGEST >> 20} MiB.", []
    except TimeoutError:
        return 0, "It did not answer in time.", []
    except (aiohttp.ClientError, ConnectionError) as error:
        if refused := outgoing.refusal(error):
            raise refused from None
        return 0, f"It does not answer ({type(error).__name__}).", []
    try:
        found: Any = json.loads(data)
    except ValueError:
        found = None
    if response.status != 200:
        return response.status, providers.said(remote, found) or f"It answered {response.status}.", []
    items = found.get("data") if isinstance(found, dict) else None
    if not isinstance(items, list):
        return 200, "It answered in another shape than a list of models.", []
    return 200, "", [str(item["id"])[:200] for item in items if isinstance(item, dict) and "id" in item]
