"""TensorZero's embedded gateway behind the leanest server that will do: `python embedded.py PORT UPSTREAM`.

It notes nothing (no ClickHouse), so that what is measured is its routing and its translation, and the server here.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

CONFIG = """
[models.canned]
routing = ["canned"]
[models.canned.providers.canned]
type = "openai"
model_name = "canned"
api_base = "{upstream}/v1/"
api_key_location = "env::CANNED_KEY"
[functions.chat]
type = "chat"
[functions.chat.variants.one]
type = "chat_completion"
model = "canned"
"""


def said(usage: Any) -> dict[str, int]:
    """Return the usage as OpenAI tells it."""
    return {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens}


async def answer(gateway: Any, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    """Ask the gateway, and write what it answers."""
    system = " ".join(m["content"] for m in asked["messages"] if m["role"] == "system")
    rest = [m for m in asked["messages"] if m["role"] != "system"]
    given = {"system": system, "messages": rest}
    if not asked.get("stream"):
        found = await gateway.inference(function_name="chat", input=given)
        text = "".join(part.text for part in found.content)
        body = json.dumps({"choices": [{"message": {"content": text}}], "usage": said(found.usage)}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        return
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    async for piece in await gateway.inference(function_name="chat", input=given, stream=True):
        told: dict[str, Any] = {"choices": [{"delta": {"content": part.text}} for part in piece.content]}
        if piece.usage is not None:
            told["usage"] = said(piece.usage)
        data = b"data: %b\n\n" % json.dumps(told).encode()
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))
    writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


async def main(port: int, upstream: str) -> None:
    """Serve until killed."""
    from tensorzero import AsyncTensorZeroGateway

    path = Path(tempfile.mkdtemp()) / "tensorzero.toml"
    path.write_text(CONFIG.format(upstream=upstream))
    gateway = await AsyncTensorZeroGateway.build_embedded(config_file=str(path))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).lower():
                size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
                await answer(gateway, json.loads(await reader.readexactly(size)), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
