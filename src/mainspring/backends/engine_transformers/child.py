"""The program of one engine process: `python -m mainspring.backends.engine_transformers.child`.

It reads one line of JSON from standard input, serves the model over loopback HTTP, writes one line of JSON to standard
output ({"url"} or {"error"}), and lives until it is told to end or its standard input closes.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any


def main() -> int:
    """Serve the model that standard input describes; return the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches the whole group; the parent drains us
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with os.fdopen(os.dup(1), "w") as announce:
        os.dup2(2, 1)  # the libraries may print; standard output belongs to the announcement
        config = json.loads(sys.stdin.readline())
        threading.Thread(target=_watch_parent, daemon=True).start()
        try:
            model = _load(config)
        except ImportError as error:
            _say(announce, {"error": str(error), "extra": "tune"})
            return 1
        except Exception as error:  # whatever the libraries raise is the parent's to name
            _say(announce, {"error": str(error).strip()[:2000] or type(error).__name__})
            return 1
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        _run(model, config, listener, announce)
    return 0


def _load(config: dict[str, Any]) -> Any:
    from mainspring.backends.engine_transformers.model import Model

    with tempfile.TemporaryDirectory(prefix="mainspring-model-") as folder:
        _lay_out(Path(folder), config["files"])
        return Model.load(Path(folder), context=config["context"], threads=config["threads"])


def _run(model: Any, config: dict[str, Any], listener: socket.socket, announce: IO[str]) -> None:
    import uvicorn

    from mainspring.backends.engine_transformers.loop import Loop
    from mainspring.backends.engine_transformers.server import App

    loop = Loop(model, slots=config["slots"])
    loop.start()
    app = App(loop, model, api_key=config["api_key"])
    settings = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=5)
    _say(announce, {"url": f"http://127.0.0.1:{listener.getsockname()[1]}"})
    uvicorn.Server(settings).run(sockets=[listener])


def _lay_out(folder: Path, files: dict[str, str]) -> None:
    """Make a folder of links as the library looks for it: a stored file has its hash for a name."""
    for name, path in files.items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"The path {name} leaves the model's folder.")
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)


def _say(announce: IO[str], message: dict[str, Any]) -> None:
    announce.write(json.dumps(message) + "\n")
    announce.flush()


def _watch_parent() -> None:
    """End at once when the parent's end of standard input closes, however the parent ended."""
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
