"""Record what real instrumentation packages send: `python scripts/golden/record.py [NAME…]`.

Each program of this folder runs in an environment of its own, made in a temporary folder (or in `--environments`, to be
used again), against the canned server of the tests. What it sends is written, without what tells of the machine, to
`tests/traces/golden`.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
TARGET = ROOT / "tests" / "traces" / "golden"
SDK = ["opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp-proto-http==1.45.2"]
OPENAI = "openai==3.57.0"
PYTHON: dict[str, list[str]] = {
    "openinference": [
        *(OPENAI, "anthropic==2.14.0", "openinference-instrumentation-openai==0.1.66"),
        *("openinference-instrumentation-anthropic==3.1.0", *SDK),
    ],
    "gen_ai": [
        *(
            OPENAI,
            "opentelemetry-instrumentation-openai-v2==2.4b0",
            "opentelemetry-util-genai==1.0b0",
            "wrapt<2",
            "httpx",
        ),
        *SDK,
    ],
    "gen_ai_before": [
        *("openai<2", "opentelemetry-instrumentation-openai-v2==2.1b0", "wrapt<2", "httpx"),
        *("opentelemetry-sdk==1.37.0", "opentelemetry-exporter-otlp-proto-http==1.37.0"),
    ],
    "openllmetry": [
        *(OPENAI, "anthropic==2.14.0", "opentelemetry-instrumentation-openai==0.62.4"),
        *("opentelemetry-instrumentation-anthropic==0.62.4", *SDK),
    ],
    "traceloop": [OPENAI, "traceloop-sdk==0.62.4", "httpx", *SDK],
    "langfuse": [OPENAI, "langfuse==5.0.4", *SDK],
    "langfuse_3": [OPENAI, "langfuse==3.15.0", *SDK],
    "mlflow": [OPENAI, "mlflow-tracing==3.17.2", "pyyaml", "sqlparse", *SDK],
    "logfire": [OPENAI, "logfire==5.4.0", "httpx", *SDK],
}
NODE_SDK = ["@opentelemetry/sdk-trace-node", "@opentelemetry/exporter-trace-otlp-proto", "@opentelemetry/resources"]
NODE: dict[str, list[str]] = {
    "vercel_5": ["ai@5", "@ai-sdk/openai@2", "zod@3", *NODE_SDK],
    "langfuse_js": [
        *("@langfuse/openai@5", "@langfuse/otel@5", "@langfuse/tracing@5", "openai@6"),
        *("@opentelemetry/api", "@opentelemetry/sdk-trace-node", "@opentelemetry/resources"),
    ],
    "vercel_7": ["ai@7", "@ai-sdk/openai", "@ai-sdk/otel", "zod", *NODE_SDK],
}
RESOURCE = ("service.name", "telemetry.sdk.language", "telemetry.sdk.name")
OF_THE_MACHINE = re.compile(r"^(code\.|process\.|host\.|os\.|thread\.|service\.instance)")


def main() -> int:
    """Record the programs that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--environments", type=Path)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from tests.sdk.canned import Canned

    folder = options.environments or Path(tempfile.mkdtemp())
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in options.names or [*PYTHON, *NODE]:
        server = Canned()
        command, where = environment(name, folder)
        done = subprocess.run([*command, server.url], cwd=where, capture_output=True, text=True, check=False)
        server.shutdown()
        found = [part for path, _, body in server.received if (part := told(path, body, server.url))]
        if done.returncode or not found:
            print(f"{name}: failed with exit {done.returncode}\n{done.stderr[-2000:]}")
            return 1
        text = json.dumps({"packages": PYTHON.get(name) or NODE[name], "requests": found}, indent=1, ensure_ascii=False)
        (TARGET / f"{name}.json").write_text(text + "\n")
        print(f"{name}: {len(found)} requests, {len(text):,} characters")
    return 0


def environment(name: str, folder: Path) -> tuple[list[str], Path]:
    """Make the environment of a program where it is not there, and return its command and working folder."""
    place = folder / name
    if name in PYTHON:
        python = place / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
            subprocess.run([python, "-m", "pip", "install", "-q", *PYTHON[name]], check=True)
        return [str(python), str(HERE / "programs.py"), name], place
    if not (place / "node_modules").exists():
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "init", "-y"], cwd=place, check=True, capture_output=True)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", *NODE[name]], cwd=place, check=True)
    program = name.partition("_")[0] + ".mjs"
    (place / program).write_text((HERE / program).read_text())
    return ["node", program], place


def told(path: str, body: bytes, url: str) -> dict[str, Any] | None:
    """Return a request as OTLP/JSON, without what tells of the machine; None for what is neither spans nor logs."""
    kind: Any = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest}.get(path.rpartition("/")[2])
    if kind is None:
        return None
    sent = json.loads(body) if body[:1] == b"{" else MessageToDict(kind.FromString(body))
    said = json.loads(json.dumps(sent).replace(url, "http://127.0.0.1:1"))
    cleaned: dict[str, Any] = clean(said)
    return cleaned


def clean(value: Any, key: str = "") -> Any:
    """Return a part of a request with hex ids, and no path, port or process of this machine."""
    if isinstance(value, list):
        if key == "attributes":
            value = [pair for pair in value if not OF_THE_MACHINE.match(pair["key"])]
        return [clean(item) for item in value]
    if isinstance(value, dict):
        if value.get("key") == "exception.stacktrace":
            return {"key": value["key"], "value": {"stringValue": "Traceback (most recent call last): …"}}
        if value.get("key") in ("server.port", "net.peer.port"):
            return {"key": value["key"], "value": {"intValue": "1"}}
        if key == "resource":
            kept = [pair for pair in value.get("attributes", []) if pair["key"] in RESOURCE]
            return {"attributes": kept}
        return {name: clean(item, name) for name, item in value.items()}
    if key in ("traceId", "spanId", "parentSpanId") and isinstance(value, str) and len(value) not in (16, 32):
        return base64.b64decode(value).hex()
    return value


if __name__ == "__main__":
    raise SystemExit(main())
