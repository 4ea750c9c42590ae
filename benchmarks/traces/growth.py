"""How lists, traces and word searches slow down as a store grows, from 100 thousand to 10 million spans.

One SQLite store of its own is filled in steps, about 17 GB at the last; at each step every question is asked many
times, each time for another trace, word, moment or value. It fails where a question takes twice as long at the last
step as at the first. `--steps 100000,1000000` ends sooner, `--folder` says where the store is made; it is removed.
"""

from __future__ import annotations

import argparse
import gc
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from made import ABSENT, PLANTED, MadeTrace, Traffic

from mainspring.backends.spans_sqlite import SqliteSpans
from mainspring.kernel.spans import Span, SpanFilter

START = 1_790_000_000 * 10**9
GAP = 10**9
BATCH = 500
PROJECT = "default"
MOST = 2.0
FLOOR_MS = 0.5
"""Below this a question is quick however it grew: what is measured is whether a page happened to be at hand."""
EARLY = 10_000
"""Spans at the beginning that carry values which never come again."""
KINDS = {"agent": "invoke_agent", "retriever": "retrieval", "chat": "chat", "tool": "execute_tool"}
Question = Callable[[], object]


def spans_of(trace: MadeTrace) -> Iterator[Span]:
    """Yield the spans of a trace as the store takes them; what came first came from a deployment that is gone."""
    early, rare = trace.number < EARLY // 7, trace.number % 150 == 7
    root = trace.spans[-1].number
    for made in trace.spans:
        model = made.model and ("first-model" if early and made.number % 11 == 0 else made.model)
        yield Span(
            trace_id=trace.trace_id.hex(),
            span_id=made.span_id.hex(),
            parent_id="" if made.parent is None else (root + 1).to_bytes(8, "big").hex(),
            project=PROJECT,
            environment="laboratory" if rare else trace.environment,
            name=made.name + (" slowly" if rare and made.parent is None else ""),
            kind=KINDS[made.kind],
            service="first-service" if early else "batch" if rare else trace.service,
            start_ns=made.start_ns,
            end_ns=made.end_ns,
            status="error" if made.failed else "ok",
            model="rare-model" if rare and model else model,
            deployment="first" if early else "rarely" if rare else trace.deployment,
            release="release/first@1" if early else trace.release,
            prompt="prompt/rare@1" if rare else "prompt/shop@3",
            session_id=trace.session,
            user_id=trace.user,
            input_tokens=made.input_tokens or None,
            output_tokens=made.output_tokens or None,
            cost=made.input_tokens * 1e-7 or None,
            input=[_part(**message) for message in made.said],
            output=made.documents or [_part(**message) for message in made.answered],
            attributes={"gen_ai.response.id": made.call_id, "gen_ai.request.temperature": 0.0} if made.call_id else {},
        )


def _part(role: str, content: str) -> dict[str, object]:
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def questions(store: SqliteSpans, chance: random.Random, held: int) -> dict[str, Question]:
    """Return what is asked of a store of `held` spans."""
    seconds = held // 8  # a trace a second, of 7 or 8 spans

    def listed(**where: object) -> Question:
        return lambda: store.traces(PROJECT, SpanFilter(**where), limit=50)  # type: ignore[arg-type]

    def drawn(make: Callable[[int], SpanFilter]) -> Question:
        return lambda: store.traces(PROJECT, make(chance.randrange(seconds)), limit=50)

    def within(second: int) -> SpanFilter:
        return SpanFilter(since_ns=START + second * GAP, until_ns=START + (second + 600) * GAP)

    def chosen(second: int) -> SpanFilter:
        return SpanFilter(trace_ids=tuple(f"{0xA1 << 120 | second + at + 1:032x}" for at in range(5)))

    return {
        "newest 50": listed(),
        "of a frequent model": listed(model="gpt-4o"),
        "of a rare model": listed(model="rare-model"),
        "of a model of long ago": listed(model="first-model"),
        "of a deployment": listed(deployment="shop-2"),
        "of a rare deployment": listed(deployment="rarely"),
        "of a deployment of long ago": listed(deployment="first"),
        "of an environment": listed(environment="staging"),
        "of a rare environment": listed(environment="laboratory"),
        "of a release of long ago": listed(release="release/first@1"),
        "of a service of long ago": listed(service="first-service"),
        "of a rare prompt": listed(prompt="prompt/rare@1"),
        "of a rare name": listed(name="invoke_agent shop-assistant slowly"),
        "of a kind": listed(kind="invoke_agent"),
        "of no kind there is": listed(kind="retrieval"),
        "with errors": listed(status="error"),
        "of a session": drawn(lambda second: SpanFilter(session_id=f"session-{second // 4:08d}")),
        "of a user": drawn(lambda second: SpanFilter(user_id=f"user-{1 + second % 50}")),
        "of ten minutes": drawn(within),
        "of an environment, rare deployment": listed(environment="laboratory", deployment="rarely"),
        "one trace": lambda: store.trace(PROJECT, f"{0xA1 << 120 | chance.randrange(seconds) + 1:032x}"),
        "sessions": lambda: store.sessions(PROJECT, SpanFilter(), limit=50),
        "sessions of a rare environment": lambda: store.sessions(
            PROJECT, SpanFilter(environment="laboratory"), limit=50
        ),
        "chosen traces": drawn(chosen),
        "a word of one trace": listed(query=PLANTED),
        "a word that is nowhere": listed(query=ABSENT),
        "a frequent word": listed(query="bicycles"),
        "a frequent word and a rare": listed(query=f"bicycles {PLANTED}"),
        "a frequent word and one of some": listed(query="bicycles slowly"),
        "two frequent words": listed(query="bicycles handbook"),
        "a frequent word of an environment": listed(query="bicycles", environment="production"),
        "a number among many": drawn(lambda second: SpanFilter(query=f"user-{second}")),
    }  # fmt: skip


def milliseconds(question: Question, rounds: int) -> float:
    """Return the median wall time of a question."""
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        question()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e3


def main() -> int:
    """Fill, ask, compare."""
    options = arguments()
    steps = [int(step) for step in options.steps.split(",")]
    folder = Path(tempfile.mkdtemp(prefix="traces-growth-", dir=options.folder))
    store = SqliteSpans(folder / "spans")
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)  # as the server has it
    traffic, chance = Traffic(START, GAP), random.Random(2)
    held, slow = 0, list[str]()
    found: dict[int, dict[str, float]] = {}
    try:
        for step in steps:
            cpu, wall = time.process_time(), time.perf_counter()
            made = (span for trace in traffic.traces(step - held) for span in spans_of(trace))
            while batch := list(islice(made, BATCH)):
                store.append(batch)
                while store.crowded:
                    store.flush(timeout=3_600)
            store.flush(timeout=3_600)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            size = store.stats()["bytes"]
            each = cpu / (step - held) * 1e6
            print(f"{step:,} spans, {size / 1e9:.1f} GB, {size / step:,.0f} bytes a span", end="; ")
            print(
                f"the last {step - held:,} in {wall:,.0f} s, {each:.0f} CPU-ms per 1,000, making included", flush=True
            )
            held = step
            asked = questions(store, chance, held)
            for question in asked.values():
                milliseconds(question, 3)
            found[step] = {name: milliseconds(question, options.rounds) for name, question in asked.items()}
            slow = compared(found)
    finally:
        store.close()
        shutil.rmtree(folder, ignore_errors=True)
    for problem in slow:
        print(f"FAILED: {problem}, {MOST:g} is too much")
    return 1 if slow else 0


def compared(found: dict[int, dict[str, float]]) -> list[str]:
    """Print the milliseconds of each question at each step until now; return what grew too much."""
    steps = list(found)
    print(f"{'median ms':36}" + "".join(f"{step:>13,}" for step in steps) + f"{'grew':>9}")
    slow = []
    for name in found[steps[0]]:
        each = [found[step][name] for step in steps]
        grew = each[-1] / max(each[0], FLOOR_MS)
        print(f"{name:36}" + "".join(f"{value:13.2f}" for value in each) + f"{each[-1] / each[0]:8.2f}x", flush=True)
        slow += [f"{name} grew {grew:.2f} times"] if grew >= MOST else []
    return slow


def arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--steps", default="100000,1000000,3000000,10000000", help="spans at which is asked (%(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=41, help="how often each is asked (%(default)s)")
    parser.add_argument("--folder", default=None, help="where the store is made (the system's temporary folder)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
