"""The products that are measured: how each is started, fed, counted and asked.

Phoenix and MLflow come from the package index, each in a virtual environment of its own: PHOENIX and MLFLOW name them.
They run with their defaults, their stores included, and are only kept from calling home.
"""

from __future__ import annotations

import compileall
import http.client
import importlib.util
import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dialects

sys.path.append(str(Path(__file__).parents[1]))

from peer import Peer, free_port

PROTOBUF = "application/x-protobuf"


class Refused(Exception):
    """An answer that is not 200."""


class Product(Peer, ABC):
    """One product; everything that it writes lies in `folder`."""

    dialect: dialects.Dialect
    intake = "/v1/traces"
    health = "/healthz"
    counts_dearly = False
    """Whether counting costs so much that it is left out: then every answer of 200 means that all is to be found."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        self._line: http.client.HTTPConnection | None = None

    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        """Return how it is started, and what is added to the environment."""
        raise RuntimeError(f"nobody says how {self.name} is started")

    def start(self) -> float:
        """Start it; return the seconds until it first answered with 200."""
        command, environ = self.command()
        begun = time.perf_counter()
        self.run(command, environ, self.data())
        while True:
            try:
                self.ask("GET", self.health, seconds=5)
                return time.perf_counter() - begun
            except (OSError, http.client.HTTPException, Refused):
                if time.perf_counter() - begun > 180 or self.process.poll() is not None:
                    raise RuntimeError(f"{self.name} does not answer; see {self.folder}") from None
                time.sleep(0.02)  # that another process answers is seen only by asking

    def stop(self) -> None:
        """End it and what it started."""
        self._line = None
        super().stop()

    def ask(self, method: str, path: str, body: Any = None, *, seconds: float = 120) -> Any:
        """Ask over a connection that is kept, and return the answer's JSON, or its text where it is none."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", **self.headers}
        fresh = self._line is None
        if self._line is None:
            self._line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        if self._line.sock is not None:
            self._line.sock.settimeout(seconds)
        try:
            self._line.request(method, path, data, headers)
            answer = self._line.getresponse()
            text = answer.read()
        except (ConnectionError, http.client.HTTPException):
            self._line = None
            if fresh:
                raise
            return self.ask(method, path, body, seconds=seconds)  # it was closed while nothing was asked
        except OSError:
            self._line = None
            raise
        if answer.status != 200:
            raise Refused(f"{method} {path}: {answer.status} {text[:500]!r}")
        try:
            return json.loads(text)
        except ValueError:
            return text

    def data(self) -> Path:
        """The folder whose bytes are counted."""
        made = self.folder / "data"
        made.mkdir(exist_ok=True)
        return made

    def bytes(self) -> int:
        """Return the bytes on disk."""
        return sum(path.stat().st_size for path in self.data().rglob("*") if path.is_file())

    def pss(self) -> int:
        """Return the bytes of memory of its processes, what they share counted once."""
        total = 0
        for one in self.family():
            lines = Path(f"/proc/{one.pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total << 10

    @abstractmethod
    def count(self) -> int:
        """Return how many spans can be found."""

    @abstractmethod
    def newest(self) -> int:
        """Ask for the newest 50 traces as a list shows them; return how many came."""

    @abstractmethod
    def trace(self, trace_id: str) -> int:
        """Ask for a whole trace; return how many spans came."""

    @abstractmethod
    def search(self, word: str, seconds: float) -> int:
        """Ask for traces, or spans, with a word in what was said; return how many came."""


class Ours(Product):
    """Mainspring."""

    name = "mainspring"
    dialect = staticmethod(dialects.genai)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        # The others were compiled when they were installed; a checkout is where it may be kept from being so.
        spec = importlib.util.find_spec("mainspring")
        assert spec is not None and spec.submodule_search_locations is not None
        for place in spec.submodule_search_locations:
            compileall.compile_dir(place, quiet=1)

    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        return [sys.executable, "-m", "mainspring", "up", f"--port={self.port}"], {"MAINSPRING_HOME": str(self.data())}

    def start(self) -> float:
        taken = super().start()
        self.headers = {"authorization": f"Bearer {self._key()}"}
        return taken

    def _key(self) -> str:
        until = time.monotonic() + 30
        while not (path := self.data() / "credentials.json").exists() and time.monotonic() < until:
            time.sleep(0.05)  # that another process wrote its file is seen only by looking
        return str(json.loads(path.read_text())["api_key"])

    def count(self) -> int:
        return sum(int(row["spans"]) for row in self.ask("GET", "/api/v1/traces/usage?hourly=false"))

    def newest(self) -> int:
        return len(self.ask("GET", "/api/v1/traces?limit=50")["items"])

    def trace(self, trace_id: str) -> int:
        return len(self.ask("GET", f"/api/v1/traces/{trace_id}")["spans"])

    def search(self, word: str, seconds: float) -> int:
        return len(self.ask("GET", f"/api/v1/traces/search?query={word}&limit=50", seconds=seconds)["items"])


class Phoenix(Product):
    """Arize Phoenix, asked as its own pages ask: in GraphQL."""

    name = "phoenix"
    dialect = staticmethod(dialects.openinference)
    _LINE = (
        "spanId name spanKind statusCode startTime latencyMs cumulativeTokenCountTotal "
        "input { truncatedValue } output { truncatedValue } trace { traceId }"
    )
    _SPAN = (
        "spanId parentId name spanKind statusCode startTime endTime tokenCountTotal attributes "
        "input { value mimeType } output { value mimeType } events { name message timestamp }"
    )

    def missing(self) -> str:
        return "" if os.environ.get("PHOENIX") else "PHOENIX names no virtual environment with arize-phoenix in it"

    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        return [str(Path(os.environ["PHOENIX"]) / "bin" / "phoenix"), "serve"], {
            "PHOENIX_WORKING_DIR": str(self.data()),
            "PHOENIX_PORT": str(self.port),
            "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_TELEMETRY_ENABLED": "false",
        }

    def _project(self, question: str, seconds: float = 120) -> Any:
        query = f"{{ projects(first: 1) {{ edges {{ node {{ {question} }} }} }} }}"
        answer = self.ask("POST", "/graphql", {"query": query}, seconds=seconds)
        if answer.get("errors"):
            raise Refused(str(answer["errors"])[:500])
        return answer["data"]["projects"]["edges"][0]["node"]

    def count(self) -> int:
        return int(self._project("recordCount")["recordCount"])

    def newest(self) -> int:
        asked = 'spans(first: 50, sort: {col: startTime, dir: desc}, filterCondition: "parent_id is None")'
        return len(self._project(f"{asked} {{ edges {{ node {{ {self._LINE} }} }} }}")["spans"]["edges"])

    def trace(self, trace_id: str) -> int:
        asked = f'trace(traceId: "{trace_id}") {{ spans(first: 1000) {{ edges {{ node {{ {self._SPAN} }} }} }} }}'
        return len(self._project(asked)["trace"]["spans"]["edges"])

    def search(self, word: str, seconds: float) -> int:
        condition = f"'{word}' in input.value or '{word}' in output.value"
        asked = f'spans(first: 50, sort: {{col: startTime, dir: desc}}, filterCondition: "{condition}")'
        return len(self._project(f"{asked} {{ edges {{ node {{ {self._LINE} }} }} }}", seconds)["spans"]["edges"])


class MLflow(Product):
    """MLflow's tracking server, asked as its own pages ask."""

    name = "mlflow"
    dialect = staticmethod(dialects.mlflow)
    health = "/health"
    counts_dearly = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.headers = {"x-mlflow-experiment-id": "0"}

    def missing(self) -> str:
        return "" if os.environ.get("MLFLOW") else "MLFLOW names no virtual environment with mlflow in it"

    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        program = Path(os.environ["MLFLOW"]) / "bin" / "mlflow"
        return [str(program), "server", "--host", "127.0.0.1", "--port", str(self.port)], {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "PATH": f"{program.parent}:{os.environ['PATH']}",
        }

    def _search(self, seconds: float = 120, **more: Any) -> Any:
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
        asked = {"locations": [place], "order_by": ["timestamp_ms DESC"], **more}
        return self.ask("POST", "/ajax-api/3.0/mlflow/traces/search", asked, seconds=seconds)

    def count(self) -> int:
        spans, token = 0, ""
        while True:
            page = self._search(max_results=100, **({"page_token": token} if token else {}))
            ids = [trace["trace_id"] for trace in page.get("traces", [])]
            for at in range(0, len(ids), 25):
                chosen = "&".join(f"trace_ids={quote(one)}" for one in ids[at : at + 25])
                found = self.ask("GET", f"/ajax-api/3.0/mlflow/traces/batchGet?{chosen}")
                spans += sum(len(trace.get("spans", [])) for trace in found.get("traces", []))
            if not (token := page.get("next_page_token", "")):
                return spans

    def newest(self) -> int:
        return len(self._search(max_results=50)["traces"])

    def trace(self, trace_id: str) -> int:
        found = self.ask("GET", f"/ajax-api/3.0/mlflow/traces/get?trace_id=tr-{trace_id}")
        return len(found["trace"]["spans"])

    def search(self, word: str, seconds: float) -> int:
        found = self._search(seconds, filter=f"trace.text LIKE '%{word}%'", max_results=50)
        return len(found.get("traces", []))


PRODUCTS: dict[str, type[Product]] = {kind.name: kind for kind in (Ours, Phoenix, MLflow)}
