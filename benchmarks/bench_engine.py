"""Tokens a second through the gateway, keys, limits, usage and traces on, beside llama.cpp driven in its own process.

Both run the same model with as many slots and threads; the library is called from threads of the process that holds
it, with no HTTP in between. Rounds take turns at 1, 8 and 16 requests at a time; the middle of each ratio is printed,
and one below 0.95 fails. On a machine that does other work, give it more rounds, and look at the tokens for a second of
processor time too: those of every process of a side are counted, so that it tells what the gateway costs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

LEVELS = (1, 8, 16)
FLOOR = 0.95
SLOTS = 16
CONTEXT = 512
DIRECT = """
import json, os, sys, time
from concurrent.futures import ThreadPoolExecutor
import xllamacpp

path, slots, context, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
params = xllamacpp.CommonParams()
params.model.path = path
params.n_parallel, params.n_ctx = slots, slots * context
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
params.fit_params, params.ui, params.verbosity, params.hostnames = False, False, 1, ["127.0.0.1"]
server = xllamacpp.Server(params)

def ask(body):
    found = []
    answer = server.handle_chat_completions(json.dumps(body), found.append)
    found = found or [answer]
    last = found[-1] if isinstance(found[-1], dict) else json.loads(found[-1])
    return last["usage"]["completion_tokens"]

print("ready", flush=True)
for line in sys.stdin:
    bodies, level = json.loads(line)
    began = time.perf_counter()
    with ThreadPoolExecutor(level) as pool:
        tokens = sum(pool.map(ask, bodies))
    print(json.dumps([tokens, time.perf_counter() - began]), flush=True)
os._exit(0)
"""
Speed = tuple[float, float]
"""Tokens a second, and tokens a second of processor time."""


def processor(pid: int) -> float:
    """Return the processor time of a process and of those below it, in seconds."""
    import psutil

    total = 0.0
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def bodies(level: int, round_number: int, tokens: int) -> list[dict[str, Any]]:
    """Return the requests of one measurement: as many as keep every slot of the level busy twice."""
    return [
        {
            "messages": [{"role": "user", "content": f"Tell story number {round_number}-{level}-{number} at length."}],
            "max_tokens": tokens,
            "temperature": 0,
        }
        for number in range(max(4, 2 * level))
    ]


class Direct:
    """The library in a process of its own."""

    def __init__(self, model: Path, threads: int) -> None:
        environ = {"GOMP_SPINCOUNT": "2000", **os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-c", DIRECT, str(model), str(SLOTS), str(CONTEXT), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            text=True,
            start_new_session=True,  # as our processes have their own: Linux shares a busy machine between sessions
        )
        self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the library's process ended")
        return line

    def measure(self, asked: list[dict[str, Any]], level: int) -> tuple[int, float]:
        """Answer all, `level` at a time; return tokens and seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([asked, level]) + "\n")
        self._process.stdin.flush()
        tokens, seconds = json.loads(self._line())
        return int(tokens), float(seconds)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


class Ours:
    """A server on a folder of its own."""

    def __init__(self, folder: Path, threads: int, *, stream: bool) -> None:
        import httpx

        self._stream = stream
        self._environ = {
            **os.environ,
            "MAINSPRING_HOME": str(folder / "home"),
            "MAINSPRING_PORT": "0",
            "MAINSPRING_ENGINE_SLOTS": str(SLOTS),
            "MAINSPRING_ENGINE_CONTEXT": str(CONTEXT),
            "MAINSPRING_ENGINE_THREADS": str(threads),
        }
        state = json.loads(self._run("up", "--detach", "--json"))
        self.pid = int(state["pid"])
        key = json.loads((folder / "home" / "credentials.json").read_text())["api_key"]
        self._http = httpx.Client(base_url=state["url"], headers={"authorization": f"Bearer {key}"}, timeout=600)
        self._post("/api/v1/models/smollm2/pull", {})
        self._post("/api/v1/budgets", {"amount": 1000, "per": "month"})
        self._post("/api/v1/engines/smollm2/load", {"keep_alive": -1})

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "mainspring", *arguments]
        return subprocess.run(command, env=self._environ, check=True, capture_output=True, text=True).stdout

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = self._http.post(path, json=body)
        if reply.is_error:
            raise SystemExit(f"{path}: {reply.status_code} {reply.text}")
        found: dict[str, Any] = reply.json()
        return found

    def _ask(self, body: dict[str, Any]) -> int:
        asked = {**body, "model": "model/smollm2"}
        if not self._stream:
            return int(self._post("/v1/chat/completions", asked)["usage"]["completion_tokens"])
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
        with self._http.stream("POST", "/v1/chat/completions", json=asked) as reply:
            events = [line[6:] for line in reply.iter_lines() if line.startswith("data: {")]
        return int(json.loads(events[-1])["usage"]["completion_tokens"])

    def measure(self, asked: list[dict[str, Any]], level: int) -> tuple[int, float]:
        """Answer all, `level` at a time; return tokens and seconds."""
        began = time.perf_counter()
        with ThreadPoolExecutor(level) as pool:
            tokens = sum(pool.map(self._ask, asked))
        return tokens, time.perf_counter() - began

    def close(self) -> None:
        """Stop it."""
        self._http.close()
        self._run("down")


def main() -> int:
    """Measure and print; fail below the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--stream", action="store_true", help="stream through the gateway; the library never does")
    options = parser.parse_args()
    root = Path(os.environ.get("MAINSPRING_MODELS") or "~/.mainspring/models").expanduser()
    with tempfile.TemporaryDirectory(prefix="bench-engine-") as folder:
        sides: dict[str, Direct | Ours] = {"direct": Direct(root / "smollm2" / "model.gguf", options.threads)}
        try:
            sides["ours"] = Ours(Path(folder), options.threads, stream=options.stream)
            ratios = measured(sides, options.rounds, options.tokens)
        finally:
            for side in sides.values():
                side.close()
    worst = min(ratios.values())
    print(f"lowest ratio {worst:.3f}, the floor is {FLOOR}")
    return 0 if worst >= FLOOR else 1


def measured(sides: dict[str, Direct | Ours], rounds: int, tokens: int) -> dict[int, float]:
    """Return the middle ratio of each level."""
    speeds: dict[tuple[str, int], list[Speed]] = {(name, level): [] for name in sides for level in LEVELS}
    for side in sides.values():
        side.measure(bodies(8, 0, 8), 8)
    for number in range(1, rounds + 1):
        for level in LEVELS:
            for name in list(sides) if number % 2 else list(reversed(sides)):
                before = processor(sides[name].pid)
                made, seconds = sides[name].measure(bodies(level, number, tokens), level)
                used = processor(sides[name].pid) - before
                speeds[name, level].append((made / seconds, made / used))
    ratios = {}
    for level in LEVELS:
        direct, ours = speeds["direct", level], speeds["ours", level]
        pairs = list(zip(ours, direct, strict=True))
        ratios[level] = statistics.median(mine[0] / theirs[0] for mine, theirs in pairs)
        print(
            f"{level:>2} at a time: {middle(ours, 0):6.1f} tokens/s through the gateway, {middle(direct, 0):6.1f} "
            f"driven directly, ratio {ratios[level]:.3f}; for a second of processor time {middle(ours, 1):.1f} and "
            f"{middle(direct, 1):.1f}, ratio {statistics.median(mine[1] / theirs[1] for mine, theirs in pairs):.3f}"
        )
    return ratios


def middle(speeds: list[Speed], which: int) -> float:
    """Return the middle of one of the two figures."""
    return statistics.median(speed[which] for speed in speeds)


if __name__ == "__main__":
    sys.exit(main())
