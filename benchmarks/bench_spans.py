"""What the span store costs: CPU time and bytes a span, and how long lists, traces and searches take beside it."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mainspring.backends.spans_sqlite import SqliteSpans
from mainspring.kernel.spans import Span, SpanFilter

START = 1_790_000_000_000_000_000
BATCH = 500


def spans(count: int) -> Iterator[Span]:
    """Yield spans of four a trace, with texts of 60 words out of 20,000, the frequent ones more often."""
    chance = random.Random(1)
    words = [f"word{number}" for number in range(20_000)]
    for number in range(count):
        trace, place = divmod(number, 4)
        start = START + trace * 10**8 + place
        said = " ".join(words[min(int(chance.paretovariate(0.7)), 19_999)] for _ in range(60))
        yield Span(
            trace_id=f"{trace + 1:032x}",
            span_id=f"{number + 1:016x}",
            parent_id="" if place == 0 else f"{trace * 4 + 1:016x}",
            project="default",
            environment="production",
            name="chat docs",
            kind="chat" if place else "invoke_agent",
            start_ns=start,
            end_ns=start + 10**8,
            status="ok",
            model="model/docs@1",
            deployment="docs",
            release="release/docs@1",
            session_id=f"s{trace % 500}",
            input_tokens=120,
            output_tokens=30,
            cost=0.0,
            input=[{"role": "user", "parts": [{"type": "text", "content": said}]}],
            output=[{"role": "assistant", "parts": [{"type": "text", "content": said[:150]}]}],
            attributes={"gen_ai.request.temperature": 0.0, "gen_ai.response.finish_reasons": ["stop"]},
        )


def milliseconds(work: Callable[[], object], rounds: int = 20) -> float:
    """Return the median wall time of `work`."""
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[rounds // 2] * 1e3


def main() -> int:
    """Store spans (100,000, or as many as the command line says) and print the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    made = list(spans(count))
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteSpans(Path(folder))
        cpu, wall = time.process_time(), time.perf_counter()
        for at in range(0, count, BATCH):
            store.append(made[at : at + BATCH])
        store.flush()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        size = store.stats()["bytes"]
        print(
            f"{count:,} spans: {cpu / count * 1e6:.0f} CPU-ms per 1,000, {wall:.1f} s, {size / count:,.0f} bytes a span"
        )
        questions: dict[str, Callable[[], object]] = {
            "list of 50": lambda: store.traces("default", SpanFilter(), limit=50),
            "list of one session": lambda: store.traces("default", SpanFilter(session_id="s7"), limit=50),
            "one trace": lambda: store.trace("default", f"{count // 8:032x}"),
            "rare word": lambda: store.traces("default", SpanFilter(query="word19000"), limit=50),
            "frequent and rare word": lambda: store.traces("default", SpanFilter(query="word1 word9000"), limit=50),
            "hourly totals": lambda: store.usage("default", SpanFilter()),
        }
        for name, question in questions.items():
            print(f"  {name}: {milliseconds(question):.2f} ms")
        begun = time.perf_counter()
        store.delete("default", [f"{count // 8:032x}"])
        print(f"  erasing one trace: {(time.perf_counter() - begun) * 1e3:.0f} ms")
        store.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
