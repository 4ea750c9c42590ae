"""Talking to the server's own protocol byte by byte, over one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

from mainspring.surfaces.processes.bounded import Bounded

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def talking(app: Any, talk: Talk, kind: type[Bounded] = Bounded, **settings: Any) -> None:
    """Serve an application, talk to it, and stop; `settings` are the server's."""

    async def work() -> None:
        config = uvicorn.Config(app, http=kind, lifespan="off", log_config=None, port=0, **settings)
        server = uvicorn.Server(config)
        serving = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)  # when a server has started is seen only by looking
        reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname()[:2])
        try:
            await talk(reader, writer)
        finally:
            writer.close()
            server.should_exit = True
            await serving

    asyncio.run(asyncio.wait_for(work(), 120))
