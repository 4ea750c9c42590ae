"""What keeping traces costs: Mainspring beside Phoenix and MLflow, with the same spans, over HTTP, default stores.

    python -m venv /somewhere/phoenix && /somewhere/phoenix/bin/pip install arize-phoenix
    python -m venv /somewhere/mlflow && /somewhere/mlflow/bin/pip install mlflow
    PHOENIX=/somewhere/phoenix MLFLOW=/somewhere/mlflow python benchmarks/traces/run.py

One client sends 20,000 spans to each, in the product's own dialect as OTLP in protobuf, 512 a request as exporters
do, over four connections. CPU is that of a product's whole tree of processes until every span can be found and it is at
rest again, less what it uses when nothing happens. Memory is the proportional set size of the same processes before
anything was sent. Starting is measured on an empty folder and once more on the one that this made. All are up, and take
turns, while lists, traces and words are asked for.

What is missing is left out, and said so. It fails where a span that was acknowledged is not found, and where a bound is
missed.
"""

from __future__ import annotations

import argparse
import http.client
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from dialects import requests
from made import ABSENT, PLANTED, MadeTrace, Traffic
from products import PRODUCTS, PROTOBUF, Ours, Product, Refused

MEASURES = {
    "CPU-ms per 1,000 spans": (1 / 30, 1 / 10),
    "ms until 1,000 spans are found": (1 / 20, 1 / 10),
    "bytes on disk a span": (0.4, 0.25),
    "MB of memory, idle": (0.5, 0.1),
    "s to the first 200, empty": (1 / 5, 1 / 5),
    "s to the first 200, again": (1 / 5, 1 / 5),
    "ms for the newest 50": (0.5, 0.5),
    "ms for one trace": (0.5, 0.5),
    "ms for a word of one trace": (1 / 20, 1 / 20),
    "ms for a word that is nowhere": (1 / 20, 1 / 20),
}
"""What is measured, and the most that ours may be of Phoenix and of MLflow."""
CPU, FOUND, DISK, MEMORY, EMPTY, AGAIN, NEWEST, TRACE, WORD, NOWHERE = MEASURES
REST_SECONDS = 4.0
PATIENCE = 20.0
"""Seconds after which a search is given up; the figure is then the least that it takes."""


class Bench:
    """What is sent to whom, and what was measured."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.folder = Path(tempfile.mkdtemp(prefix="traces-bench-", dir=options.folder))
        gap = 10**8
        begun = time.time_ns() - options.spans // 5 * gap - 60 * 10**9
        self.traces: list[MadeTrace] = list(Traffic(begun, gap).traces(options.spans))
        self.found: dict[str, dict[str, float]] = {}
        self.idle: dict[str, float] = {}
        self.problems: list[str] = []

    def begin(self, product: Product) -> None:
        """Start it twice, let it come to rest, and look at its memory; it stays up."""
        found = self.found[product.name] = {}
        found[EMPTY] = product.start()
        self._rest(product)  # what it still prepares behind its first answer is not to be cut off
        product.stop()
        found[AGAIN] = product.start()
        self._rest(product)
        cpu, seen, seconds = product.cpu(), [], 20 if self.options.start_only else 4
        for _ in range(seconds):
            time.sleep(1)  # seconds of rest are what is measured
            seen.append(product.pss())
        found[MEMORY] = statistics.median(seen) / (1 << 20)
        idle = (product.cpu() - cpu) / seconds
        print(f"{product.name}: {idle * 100:.2f} % of a core at rest", flush=True)
        # More than that is no rest, but what its start still has to do, and is not taken off later.
        self.idle[product.name] = min(idle, 0.1)

    def _rest(self, product: Product) -> None:
        """Wait until what goes on behind the first answer is over, at least as long as the options say."""
        time.sleep(self.options.rest)  # what a start does behind its first answer says no end
        for _ in range(45):
            cpu = product.cpu()
            time.sleep(1)  # CPU over a second tells rest from work
            if product.cpu() - cpu < 0.15:
                return

    def ingest(self, product: Product) -> None:
        """Send everything, wait until it is found, and note CPU, time and bytes."""
        bodies = list(requests(self.traces, product.dialect, self.options.batch))
        bytes_before, cpu, begun = product.bytes(), product.cpu(), time.perf_counter()
        taken = self._send(product, bodies)
        ended = time.perf_counter()
        acknowledged = self.options.spans if taken is None else taken
        if product.counts_dearly:
            used = product.cpu() - cpu
            counted = product.count()
        else:
            counted, ended = self._awaited(product, acknowledged)
            time.sleep(REST_SECONDS)  # work behind the last answer counts too
            used = product.cpu() - cpu
        used -= self.idle[product.name] * (time.perf_counter() - begun if not product.counts_dearly else ended - begun)
        found = self.found[product.name]
        found[CPU] = used / counted * 1e6
        found[FOUND] = (ended - begun) / counted * 1e6
        found[DISK] = (product.bytes() - bytes_before) / counted
        print(
            f"{product.name}: {acknowledged:,} spans acknowledged in {len(bodies)} requests, {counted:,} found after "
            f"{ended - begun:.1f} s",
            flush=True,
        )
        if counted != acknowledged:
            self.problems.append(f"{product.name}: {acknowledged - counted:,} acknowledged spans are not found")

    def _send(self, product: Product, bodies: list[tuple[int, bytes]]) -> int | None:
        left, lock, sent = iter(bodies), threading.Lock(), [0]

        def work() -> None:
            line = http.client.HTTPConnection("127.0.0.1", product.port, timeout=300)
            headers = {"content-type": PROTOBUF, **product.headers}
            while True:
                with lock:
                    count, body = next(left, (0, b""))
                if not count:
                    return
                while True:
                    line.request("POST", product.intake, body, headers)
                    answer = line.getresponse()
                    text = answer.read()
                    if answer.status not in (429, 503):
                        break
                    time.sleep(float(answer.headers.get("retry-after", 1)))  # as it asks
                with lock:
                    if answer.status == 200:
                        sent[0] += count
                    else:
                        self.problems.append(f"{product.name}: {answer.status} {text[:200]!r}")

        threads = [threading.Thread(target=work) for _ in range(self.options.connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sent[0]

    def _awaited(self, product: Product, wanted: int) -> tuple[int, float]:
        """Wait until so many spans are found, or no more come for a minute; return how many, and when.

        The steps between two looks grow with what was waited, so that they blur nobody's figure by more than a little.
        """
        counted, begun = -1, time.perf_counter()
        changed = begun
        while time.perf_counter() - changed < 60:
            now = product.count()
            if now != counted:
                counted, changed = now, time.perf_counter()
            if counted >= wanted:
                break
            # Another process indexes: it is seen only by asking.
            time.sleep(min(0.25, max(0.02, (time.perf_counter() - begun) / 20)))
        return counted, changed

    def ask(self, running: list[Product]) -> None:
        """Ask everybody in turns; a search that is given up is not repeated."""
        middle = [trace for trace in self.traces if len(trace.spans) == 7]
        asked: dict[str, Callable[[Product, MadeTrace], tuple[int, int]]] = {
            NEWEST: lambda product, _: (product.newest(), 50),
            TRACE: lambda product, trace: (product.trace(trace.trace_id.hex()), len(trace.spans)),
            WORD: lambda product, _: (min(1, product.search(PLANTED, PATIENCE)), 1),
            NOWHERE: lambda product, _: (product.search(ABSENT, PATIENCE), 0),
        }
        for name, question in asked.items():
            taken: dict[str, list[float]] = {product.name: [] for product in running}
            given_up: set[str] = set()
            # A search that takes seconds tells as much in fewer rounds.
            rounds = self.options.rounds if name in (NEWEST, TRACE) else max(3, self.options.rounds // 3)
            for round_ in range(rounds + 2):
                trace = middle[round_ * 37 % len(middle)]
                for product in running:
                    if product.name in given_up:
                        continue
                    begun = time.perf_counter()
                    try:
                        came, wanted = question(product, trace)
                    except TimeoutError:
                        given_up.add(product.name)
                        taken[product.name] = [PATIENCE]
                        print(f"{product.name}: gave up after {PATIENCE:g} s: {name}")
                        continue
                    except Refused as error:
                        self.problems.append(str(error))
                        given_up.add(product.name)
                        continue
                    if came != wanted:
                        self.problems.append(f"{product.name}: {came} instead of {wanted}: {name}")
                    if round_ >= 2:
                        taken[product.name].append(time.perf_counter() - begun)
            for product in running:
                if each := taken[product.name]:
                    self.found[product.name][name] = statistics.median(each) * 1e3


def report(bench: Bench) -> None:
    """Print the figures and the ratios, and note the bounds that are missed."""
    names = list(bench.found)
    print(f"{'':32}" + "".join(f"{name:>12}" for name in names))
    for measure, bounds in MEASURES.items():
        values = {name: bench.found[name].get(measure) for name in names}
        line = f"{measure:32}" + "".join("           -" if v is None else f"{v:12,.2f}" for v in values.values())
        ours = values.get(Ours.name)
        for rival, bound in zip(("phoenix", "mlflow"), bounds, strict=True):
            theirs = values.get(rival)
            if ours is None or theirs is None:
                continue
            ratio = ours / theirs
            line += f"   1/{1 / ratio:.1f} of {rival}" if ratio < 0.1 else f"   {ratio:.2f} of {rival}"
            if ratio > bound:
                bench.problems.append(f"{measure}: ours is {ratio:.3f} of {rival}'s, over {bound:.3f}")
        print(line)


def main() -> int:
    """Measure, print, and say whether the bounds are kept."""
    options = arguments()
    bench = Bench(options)
    running: list[Product] = []
    try:
        for name in options.products.split(","):
            product = PRODUCTS[name](bench.folder)
            if why := product.missing():
                print(f"{name} is left out: {why}")
                continue
            running.append(product)
            bench.begin(product)
        if not options.start_only:
            for product in running:
                bench.ingest(product)
            bench.ask(running)
        report(bench)
    finally:
        for product in running:
            product.stop()
        if not options.keep:
            shutil.rmtree(bench.folder, ignore_errors=True)
    for problem in bench.problems:
        print(f"FAILED: {problem}")
    return 1 if bench.problems else 0


def arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", default=",".join(PRODUCTS), help="which are measured (%(default)s)")
    parser.add_argument("--spans", type=int, default=20_000, help="how many are sent (%(default)s)")
    parser.add_argument("--batch", type=int, default=512, help="spans of a request (%(default)s)")
    parser.add_argument("--connections", type=int, default=4, help="of the client (%(default)s)")
    parser.add_argument("--rounds", type=int, default=15, help="how often each question is asked (%(default)s)")
    parser.add_argument("--rest", type=float, default=8.0, help="seconds before memory is looked at (%(default)s)")
    parser.add_argument("--start-only", action="store_true", help="measure starts, memory and rest, and send nothing")
    parser.add_argument("--folder", default=None, help="where everything is written (the temporary folder)")
    parser.add_argument("--keep", action="store_true", help="keep that folder, with the logs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
