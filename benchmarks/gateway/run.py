"""What a gateway costs: CPU-µs a call, ours beside LiteLLM, TensorZero and nginx, in front of the same canned server.

The canned server and the load share one core; the gateways have the other, one at a time, in rounds that take turns.
CPU is that of a gateway's whole tree of processes. Ours has key, routing, budget, usage, cost and trace on. A ratio is
the median over the rounds.

Peers are taken from where LITELLM and TENSORZERO point (virtual environments); nginx from the path. What is missing is
left out, and said so. It fails where an answer is not 200, lacks its usage or its end, where calls are not noted, and
where a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gateways import GATEWAYS, HERE, Gateway, Ours, question

MUST = {("unary", "litellm"): 1 / 30, ("unary", "nginx"): 20.0, ("stream", "litellm"): 1 / 18, ("stream", "nginx"): 4.5}
ADDED_MS = 0.5
MB = 1 << 20


class Bench:
    """The canned server, the load, and what was asked of whom."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
        self.problems: list[str] = []
        self.asked: dict[str, int] = {}
        self._canned = subprocess.Popen(
            ["taskset", "-c", str(options.load_core), sys.executable, str(HERE / "upstream.py"),
             str(options.events), str(options.pace_ms)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._canned.stdout is not None
        self.upstream = f"http://127.0.0.1:{self._canned.stdout.readline().strip()}"

    def load(self, gateway: Gateway | None, *, stream: bool, connections: int, **more: Any) -> dict[str, Any]:
        """Ask a gateway, or the canned server itself, and return what was counted."""
        plan = {
            "url": f"{gateway.url if gateway else self.upstream}/v1/chat/completions",
            "headers": gateway.headers if gateway else {},
            "body": question(gateway.model if gateway else "canned", stream=stream),
            "events": self.options.events,
            "connections": connections,
            **more,
        }
        command = [
            "taskset",
            "-c",
            str(self.options.load_core),
            sys.executable,
            str(HERE / "load.py"),
            json.dumps(plan),
        ]
        found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        name = gateway.name if gateway else "direct"
        self.asked[name] = self.asked.get(name, 0) + int(found["answers"])
        self.problems += [f"{name}: {problem}" for problem in found["problems"]]
        return found

    def measure(self, gateway: Gateway, *, stream: bool) -> float:
        """Return the CPU-µs of a call in one round."""
        before = gateway.cpu()
        found = self.load(gateway, stream=stream, connections=self.options.connections, seconds=self.options.seconds)
        gateway.stored()  # what is still to be written is written, and counts
        return 1e6 * (gateway.cpu() - before) / int(found["answers"])

    def close(self) -> None:
        """End the canned server and remove what the gateways wrote."""
        self._canned.kill()
        if not self.options.keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def main() -> int:
    """Measure, print, and say whether the bounds are kept."""
    options = arguments()
    bench = Bench(options)
    running: list[Gateway] = []
    try:
        for name in options.gateways.split(","):
            gateway = GATEWAYS[name](bench.folder, bench.upstream, options.core)
            if why := gateway.missing():
                print(f"{name} is left out: {why}")
                continue
            gateway.start()
            running.append(gateway)
            bench.asked[name] = 1
        if options.memory:
            memory(bench, running, options.memory)
        else:
            compare(bench, running)
        for gateway in running:
            noted = gateway.stored()
            if noted is not None and noted != bench.asked[gateway.name]:
                bench.problems.append(f"{gateway.name} noted {noted} of {bench.asked[gateway.name]} calls")
            elif noted is not None:
                print(f"{gateway.name} noted every one of {noted} calls, in usage and as traces")
    finally:
        for gateway in running:
            gateway.stop()
        bench.close()
    for problem in bench.problems:
        print(f"FAILED: {problem}")
    return 1 if bench.problems else 0


def compare(bench: Bench, running: list[Gateway]) -> None:
    """Print CPU a call and ratios, and the time that ours adds to a call."""
    options = bench.options
    for gateway in running:
        for stream in (False, True):
            bench.load(gateway, stream=stream, connections=options.connections, requests=options.warm)
    took: dict[tuple[str, str], list[float]] = {}
    for _ in range(options.rounds):
        for gateway in running:
            for mode in options.modes.split(","):
                time.sleep(0.3)
                took.setdefault((mode, gateway.name), []).append(bench.measure(gateway, stream=mode == "stream"))
    for mode in options.modes.split(","):
        ours = took.get((mode, Ours.name))
        for gateway in running:
            each = took[mode, gateway.name]
            line = f"{mode:7} {gateway.name:11} {statistics.median(each):9.1f} CPU-µs a call"
            line += f" ({min(each):.0f} to {max(each):.0f})"
            if ours and gateway.name != Ours.name:
                ratio = statistics.median(a / b for a, b in zip(ours, each, strict=True))
                line += f"   ours is {ratio:.2f} of it" if ratio > 1 else f"   ours is 1/{1 / ratio:.1f} of it"
                bound = MUST.get((mode, gateway.name))
                if bound is not None and ratio > bound:
                    bench.problems.append(f"{mode}: ours is {ratio:.3f} of {gateway.name}, over {bound:.3f}")
            print(line)
    latency(bench, running)


def latency(bench: Bench, running: list[Gateway]) -> None:
    """Print what each gateway adds to the median call on one connection."""
    added: dict[str, list[float]] = {}
    for _ in range(bench.options.rounds):
        direct = bench.load(None, stream=False, connections=1, requests=bench.options.single)["p50_ms"]
        for gateway in running:
            through = bench.load(gateway, stream=False, connections=1, requests=bench.options.single)["p50_ms"]
            added.setdefault(gateway.name, []).append(through - direct)
    for name, each in added.items():
        print(f"added   {name:11} {statistics.median(each):9.3f} ms to the median call on one connection")
    ours = added.get(Ours.name)
    if ours and statistics.median(ours) > ADDED_MS:
        bench.problems.append(f"ours adds {statistics.median(ours):.3f} ms, over {ADDED_MS}")


def memory(bench: Bench, running: list[Gateway], calls: int) -> None:
    """Print the memory of each gateway as it answers so many calls; it may not grow after the first quarter."""
    step = max(1, calls // 20)
    for gateway in running:
        seen: list[int] = []
        for _ in range(20):
            bench.load(gateway, stream=False, connections=bench.options.connections, requests=step)
            seen.append(gateway.rss())
            print(f"{gateway.name:11} {len(seen) * step:8} calls {seen[-1] / MB:7.1f} MB", flush=True)
        early, late = max(seen[2:6]), max(seen[-4:])
        print(f"{gateway.name:11} grew by {100 * (late - early) / early:.1f} % from the first quarter to the last")
        if late > early * 1.05:
            bench.problems.append(f"{gateway.name} grew from {early / MB:.0f} to {late / MB:.0f} MB")


def arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateways", default=",".join(GATEWAYS), help="which are measured (%(default)s)")
    parser.add_argument("--modes", default="unary,stream", help="what is asked for (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that take turns (%(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a round (%(default)s)")
    parser.add_argument("--connections", type=int, default=32, help="connections of the load (%(default)s)")
    parser.add_argument("--events", type=int, default=40, help="pieces of text of a stream (%(default)s)")
    parser.add_argument("--pace-ms", type=float, default=2.0, help="between two pieces (%(default)s)")
    parser.add_argument("--warm", type=int, default=300, help="calls before the first round (%(default)s)")
    parser.add_argument("--single", type=int, default=500, help="calls of a round on one connection (%(default)s)")
    parser.add_argument("--memory", type=int, default=0, help="measure memory over so many calls instead")
    parser.add_argument("--core", type=int, default=1, help="the gateways' core (%(default)s)")
    parser.add_argument("--load-core", type=int, default=0, help="core of load and canned server (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with settings and logs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
