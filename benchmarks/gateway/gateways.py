"""The gateways that are measured: how each one is started in front of the canned server, asked and stopped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from peer import Peer, free_port

HERE = Path(__file__).parent
KEY = "sk-benchmark"


class Gateway(Peer):
    """One gateway, on a core of its own. What it is started with lies in `folder`."""

    def __init__(self, folder: Path, upstream: str, core: int) -> None:
        super().__init__(folder)
        self.upstream, self.core = upstream, core
        self.url = ""
        self.headers = {"authorization": f"Bearer {KEY}"}
        self.model = "canned"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        raise RuntimeError(f"nobody says how {self.name} is started")

    def stored(self) -> int | None:
        """Return how many calls it has noted, once it has noted all; None where it notes none."""
        return None

    def begin(self, command: Sequence[str], answer: Any = None, **environ: str) -> None:
        """Start a command on the gateway's core."""
        self.run(["taskset", "-c", str(self.core), *command], environ, self.folder, answer)

    def wait(self, path: str = "/v1/chat/completions", seconds: float = 180) -> None:
        """Wait until it answers a question."""
        until = time.monotonic() + seconds
        body = json.dumps(question(self.model, stream=False)).encode()
        headers = {"content-type": "application/json", **self.headers}
        while True:
            try:
                with urllib.request.urlopen(urllib.request.Request(f"{self.url}{path}", body, headers), timeout=30):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                if time.monotonic() > until:
                    said = error.read()[:500] if isinstance(error, urllib.error.HTTPError) else error
                    raise RuntimeError(f"{self.name} does not answer: {said!r}; see {self.folder}") from None
                time.sleep(0.2)

    def rss(self) -> int:
        """Return the bytes of memory that its processes hold."""
        return sum(one.memory_info().rss for one in self.family())


class Ours(Gateway):
    """Mainspring: key, deployment, release, price, budget, usage and trace of every call."""

    name = "mainspring"

    def start(self) -> None:
        environ = {
            "MAINSPRING_HOME": str(self.folder / "home"),
            "MAINSPRING_TARGETS_ALLOW_PRIVATE": "true",
        }
        command = [sys.executable, "-m", "mainspring"]
        out = self.folder / "up.json"
        with out.open("wb") as sink:
            self.begin([*command, "up", "--port=0", "--json"], sink, **environ)
        assert self.process is not None
        until = time.monotonic() + 120
        while not out.read_text().strip():
            if time.monotonic() > until or self.process.poll() is not None:
                raise RuntimeError(f"mainspring did not start; see {self.folder}")
            time.sleep(0.1)
        self.url = json.loads(out.read_text().splitlines()[0])["url"]
        held = json.loads((self.folder / "home" / "credentials.json").read_text())
        self.headers = {"authorization": f"Bearer {held['api_key']}"}
        self.model = "canned"

        def cli(*arguments: str) -> None:
            settings = {**os.environ, **environ}
            done = subprocess.run([*command, *arguments], env=settings, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"mainspring {' '.join(arguments)}: {done.stderr}")

        cli("provider", "create", "upstream", f"{self.upstream}/v1")
        cli("model", "connect", "canned", "upstream", "canned")
        cli("release", "create", "canned", "--model", "model/canned", "--parameters", '{"temperature": 0.2}')
        cli("environment", "create", "bench")
        cli("deployment", "create", "canned", "release/canned", "--environment", "bench")
        cli("price", "set", "model/canned*", "--input-per-million", "0.15", "--output-per-million", "0.6")
        cli("budget", "set", "1000000", "--per", "day")
        self.headers["x-mainspring-environment"] = "bench"
        self.wait()

    def stored(self) -> int | None:
        """Return the calls in the report of usage; the traces must be as many."""
        used, traced = self._usage(), self._traces()
        return used if used == traced else -abs(used - traced)

    def _get(self, path: str) -> Any:
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", headers=self.headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def _usage(self) -> int:
        return sum(int(row["requests"]) for row in self._get("usage"))

    def _traces(self) -> int:
        return sum(int(row["spans"]) for row in self._get("traces/usage"))


class Nginx(Gateway):
    """nginx as a proxy: the floor. It knows nothing of keys, models or tokens."""

    name = "nginx"

    def missing(self) -> str:
        return "" if shutil.which("nginx") else "nginx is not installed (apt-get install nginx-light)"

    def start(self) -> None:
        port = free_port()
        host = self.upstream.removeprefix("http://")
        text = f"""
worker_processes 1; daemon off; pid {self.folder}/pid; error_log {self.folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p;
  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  keepalive_requests 1000000000;
  upstream canned {{ server {host}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://canned; proxy_http_version 1.1; proxy_set_header connection ""; proxy_buffering off;
    }}
  }}
}}
"""
        (self.folder / "nginx.conf").write_text(text)
        self.begin(["nginx", "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)])
        self.url = f"http://127.0.0.1:{port}"
        self.wait()


class LiteLLM(Gateway):
    """LiteLLM's proxy, from the virtual environment that LITELLM names, with a master key and one worker."""

    name = "litellm"

    def missing(self) -> str:
        if not os.environ.get("LITELLM"):
            return "LITELLM names no virtual environment with litellm[proxy] in it"
        return ""

    def start(self) -> None:
        port = free_port()
        config = {
            "model_list": [
                {
                    "model_name": self.model,
                    "litellm_params": {
                        "model": "openai/canned",
                        "api_base": f"{self.upstream}/v1",
                        "api_key": "none",
                        "input_cost_per_token": 1.5e-7,
                        "output_cost_per_token": 6e-7,
                    },
                }
            ],
            "general_settings": {"master_key": KEY},
        }
        (self.folder / "config.yaml").write_text(json.dumps(config))
        bin = Path(os.environ["LITELLM"]) / "bin"
        self.begin(
            [str(bin / "litellm"), "--config", str(self.folder / "config.yaml"), "--port", str(port),
             "--host", "127.0.0.1", "--num_workers", "1"],
            LITELLM_LOG="ERROR", LITELLM_MODE="PRODUCTION", LITELLM_LOCAL_MODEL_COST_MAP="True",
            PATH=f"{bin}:{os.environ['PATH']}",
        )  # fmt: skip
        self.url = f"http://127.0.0.1:{port}"
        self.wait()


class TensorZero(Gateway):
    """TensorZero's embedded gateway behind a lean server, from the virtual environment that TENSORZERO names."""

    name = "tensorzero"

    def missing(self) -> str:
        if not os.environ.get("TENSORZERO"):
            return "TENSORZERO names no virtual environment with tensorzero in it"
        return ""

    def start(self) -> None:
        port = free_port()
        python = Path(os.environ["TENSORZERO"]) / "bin" / "python"
        self.begin([str(python), str(HERE / "embedded.py"), str(port), self.upstream], CANNED_KEY="none")
        self.url = f"http://127.0.0.1:{port}"
        self.wait()


GATEWAYS: dict[str, type[Gateway]] = {kind.name: kind for kind in (Ours, LiteLLM, Nginx, TensorZero)}


def question(model: str, *, stream: bool) -> dict[str, Any]:
    """Return what is asked."""
    text = "Which of the two ways is the shorter one, and how long does it take on foot in the rain? " * 2
    asked: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "system", "content": "Answer in two sentences."}, {"role": "user", "content": text}],
        "max_tokens": 64,
    }
    return {**asked, "stream": True, "stream_options": {"include_usage": True}} if stream else asked
