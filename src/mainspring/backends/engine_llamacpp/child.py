"""The program of one engine process: `python -m mainspring.backends.engine_llamacpp.child`.

It reads one line of JSON from standard input, serves the model over loopback HTTP, writes one line of JSON to standard
output ({"url"} or {"error"}), and lives until it is told to end or its standard input closes: an engine never outlives
the process that started it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import IO, Any


def main() -> int:
    """Serve the model that standard input describes; return the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches the whole group; the parent drains us
    with os.fdopen(os.dup(1), "w") as announce:
        os.dup2(2, 1)  # the library may print; standard output belongs to the announcement
        try:
            server = _serve(json.loads(sys.stdin.readline()))
        except Exception as error:  # whatever the library raises is the parent's to name
            _say(announce, {"error": str(error) or type(error).__name__})
            return 1
        _say(announce, {"url": server.listening_address})
    threading.Thread(target=_watch_parent, daemon=True).start()
    while True:
        signal.pause()


def _serve(config: dict[str, Any]) -> Any:
    """Start the library's server; its defaults leave the door open to any origin, without a key, with a web page."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = config["model"]
    params.model_alias = {"engine"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [config["api_key"]]
    params.cors_origins = ""
    params.cors_credentials = False
    params.ui = False
    params.endpoint_slots = True
    params.endpoint_metrics = True
    params.n_parallel = config["slots"]
    params.n_ctx = config["context"] * config["slots"]
    params.fit_params = False  # it would shrink the context silently
    params.ctx_shift = False
    params.cache_ram_mib = config["cache_mib"]
    params.n_threads_http = config["slots"] + 8
    params.cpuparams.n_threads = config["threads"]
    params.cpuparams_batch.n_threads = config["threads"]
    params.verbosity = 1
    params.offline = True
    params.embedding = config["embeds"]
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 1.0) for path in config["adapters"]]
    return xllamacpp.Server(params)


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
