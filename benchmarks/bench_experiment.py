"""What scheduling an experiment costs: rows per CPU-second against an instant target, beside Inspect AI and promptfoo.

Each asks the same server, which answers at once, the same questions, and scores by exact match. CPU seconds are those
of the process that asks, its children included; the server's are not. Inspect AI is taken from the Python that
INSPECT_PYTHON names (a virtual environment with `pip install inspect-ai openai`), promptfoo from the command PROMPTFOO
(its installed command line, with node before it); what is not named is left out, and said so.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FACTOR = 3
SERVER = """
import asyncio, json

REPLY = json.dumps({
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11},
}).encode()
HEAD = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(REPLY)

class Instant(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.rest = transport, b""

    def data_received(self, data):
        self.rest += data
        while b"\\r\\n\\r\\n" in self.rest:
            head, _, body = self.rest.partition(b"\\r\\n\\r\\n")
            named = (line.lower().split(b":") for line in head.split(b"\\r\\n"))
            size = next((int(parts[1]) for parts in named if parts[0] == b"content-length"), 0)
            if len(body) < size:
                return
            self.rest = body[size:]
            self.transport.write(HEAD + REPLY)

async def main():
    server = await asyncio.get_running_loop().create_server(Instant, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""

OURS = """
import sys, time
from pathlib import Path
from mainspring.data import rows as dataset_rows
from mainspring.data.models import Row
from mainspring.evals import Experiments
from mainspring.kernel import access, settings, versions
from mainspring.surfaces.compose import build_platform

home, url, rows = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
config = settings.load({"home": str(home), "targets.allow_private": True}, environ={}, folder=home)
platform = build_platform(config)
from mainspring.backends.runner_inline import InlineRunner
runner = InlineRunner()
runner.platform, platform.runner_port = platform, runner
made = [Row(id=f"r{n}", text=f"What is {n} plus {n}?", reference="4", split="test") for n in range(rows)]
caller = access.Caller("ann", "key", "default", "production", "admin", access.ROLES["admin"])
with access.acting_as(caller):
    with platform.begin() as tx:
        versions.commit(tx, "dataset", "sums", dataset_rows.store(platform.files, made))
    began, cpu = time.perf_counter(), time.process_time()
    if len(sys.argv) > 4:
        import cProfile
        profile = cProfile.Profile()
        profile.enable()
    run = Experiments(platform).run("dataset/sums", f"{url}#m", scorers=["exact"], concurrency=32)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - began
    if len(sys.argv) > 4:
        profile.disable()
        profile.dump_stats(sys.argv[4])
assert run.result and run.result["rows"] == rows and run.result["figures"][0]["value"] == 1.0, run.error
print(cpu, wall)
"""

INSPECT = """
import sys, time
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import exact
from inspect_ai.solver import generate

url, rows, logs = sys.argv[1], int(sys.argv[2]), sys.argv[3]
task = Task(
    dataset=MemoryDataset([Sample(input=f"What is {n} plus {n}?", target="4", id=n + 1) for n in range(rows)]),
    solver=generate(), scorer=exact(),
)
began, cpu = time.perf_counter(), time.process_time()
log = eval(
    task, model="openai-api/local/m", model_base_url=url, model_args={"api_key": "none"}, display="none",
    log_dir=logs, max_connections=32, max_samples=32, log_level="error",
)[0]
assert log.status == "success" and log.results.scores[0].metrics["mean"].value == 1.0, log.error
print(time.process_time() - cpu, time.perf_counter() - began)
"""


def ours(url: str, rows: int, folder: Path) -> tuple[float, float]:
    """CPU and wall seconds of the product's own job, everything that it stores included."""
    folder.mkdir(exist_ok=True)
    said = subprocess.run(
        [sys.executable, "-c", OURS, str(folder / "home"), url, str(rows)], check=True, capture_output=True, text=True
    )
    cpu, wall = map(float, said.stdout.split()[-2:])
    return cpu, wall


def inspect_ai(python: str, url: str, rows: int, folder: Path) -> tuple[float, float]:
    """The same of Inspect AI, its log included."""
    held = {**os.environ, "LOCAL_API_KEY": "none", "LOCAL_BASE_URL": url}
    command = [python, "-c", INSPECT, url, str(rows), str(folder / "logs")]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=held, cwd=folder)
    cpu, wall = map(float, said.stdout.split()[-2:])
    return cpu, wall


def promptfoo(command: str, url: str, rows: int, folder: Path) -> tuple[float, float]:
    """The same of promptfoo's command, less what it takes for a single row."""

    def once(count: int) -> tuple[float, float]:
        provider = {"id": "openai:chat:m", "config": {"apiBaseUrl": url, "apiKey": "none"}}
        tests = [{"vars": {"n": n}, "assert": [{"type": "equals", "value": "4"}]} for n in range(count)]
        config = {"prompts": ["What is {{n}} plus {{n}}?"], "providers": [provider], "tests": tests}
        (folder / "promptfooconfig.json").write_text(json.dumps(config))
        held = {
            **os.environ,
            "PROMPTFOO_DISABLE_TELEMETRY": "1",
            "PROMPTFOO_DISABLE_UPDATE": "1",
            "PROMPTFOO_CACHE_ENABLED": "false",
            "PROMPTFOO_CONFIG_DIR": str(folder / "promptfoo"),
        }
        line = [*shlex.split(command), "eval", "-c", "promptfooconfig.json", "-j", "32", "--no-cache", "--no-table"]
        line += ["--no-progress-bar", "-o", "out.json"]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(line, capture_output=True, text=True, env=held, cwd=folder, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert (folder / "out.json").exists(), done.stderr[-2000:]
        found = json.loads((folder / "out.json").read_text())["results"]["stats"]
        assert found["successes"] == count, done.stderr[-2000:]
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return cpu, time.perf_counter() - began

    one, all_ = once(1), once(rows)
    return all_[0] - one[0], all_[1] - one[1]


def main() -> int:
    """Print rows per CPU-second of each, and the ratios; return 1 where one is under the factor that is promised."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--inspect", default=os.environ.get("INSPECT_PYTHON", ""))
    parser.add_argument("--promptfoo", default=os.environ.get("PROMPTFOO", ""))
    given = parser.parse_args()
    ratios = []
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            mine = sorted(ours(url, given.rows, place / str(turn)) for turn in range(3))[1]
            print(f"mainspring  {given.rows / mine[0]:8.0f} rows per CPU-second, {mine[1]:.1f} s for {given.rows} rows")
            for name, command, measure in (
                ("Inspect AI", given.inspect, inspect_ai),
                ("promptfoo", given.promptfoo, promptfoo),
            ):
                if not command:
                    print(f"{name:11} not measured: it is not installed here, see the head of this file")
                    continue
                cpu, wall = measure(command, url, given.rows, place)
                ratios.append(cpu / mine[0])
                print(
                    f"{name:11} {given.rows / cpu:8.0f} rows per CPU-second, {wall:.1f} s; "
                    f"mainspring {ratios[-1]:.1f} times as many per CPU-second"
                )
    finally:
        server.kill()
    return int(any(ratio < FACTOR for ratio in ratios))


if __name__ == "__main__":
    raise SystemExit(main())
