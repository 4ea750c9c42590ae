"""The span store when processes are killed, start together, or find the disk full."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mainspring.backends.spans_sqlite import SqliteSpans
from mainspring.kernel.spans import SpanFilter

pytestmark = pytest.mark.slow

WRITER = """
import sys
from pathlib import Path
from mainspring.backends.spans_sqlite import SqliteSpans
from mainspring.kernel.spans import Span
store = SqliteSpans(Path(sys.argv[1]))
for n in range(1, 100000):
    ids = {"trace_id": f"{n:032x}", "span_id": f"{n:016x}"}
    store.append([Span(**ids, project="default", start_ns=n, end_ns=n, input="x" * 500)])
    print(n, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 7, 150, 900])
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path, acknowledged):
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    last = 0
    for line in child.stdout:
        last = int(line) if line.endswith("\n") else last
        if last == acknowledged:
            child.send_signal(signal.SIGKILL)
    child.wait()
    store = SqliteSpans(Path(tmp_path))
    try:
        found = {int(s.trace_id, 16) for s in store.scan("default", SpanFilter(), limit=100_000)}
        assert last >= acknowledged
        assert set(range(1, last + 1)) <= found
        assert len(found) == store.stats()["traces"] <= last + 1
    finally:
        store.close()


OPENER = """
import sys
from pathlib import Path
from mainspring.backends.spans_sqlite import SqliteSpans
from mainspring.kernel.spans import Span
sys.stdin.readline()
n = int(sys.argv[2])
store = SqliteSpans(Path(sys.argv[1]))
for k in range(20):
    ids = {"trace_id": f"{n:032x}", "span_id": f"{n * 1000 + k:016x}"}
    store.append([Span(**ids, project="default", start_ns=k + 1, end_ns=k + 2, session_id="s", model=f"m{n}")])
store.close()
"""


def test_processes_that_start_at_the_same_moment_share_the_store(tmp_path):
    folder = str(tmp_path / "spans")
    children = [
        subprocess.Popen([sys.executable, "-c", OPENER, folder, str(n)], stdin=subprocess.PIPE, text=True)
        for n in range(1, 5)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.close()
    assert [child.wait(300) for child in children] == [0, 0, 0, 0]
    store = SqliteSpans(Path(folder))
    try:
        assert [line.spans for line in store.traces("default", SpanFilter(), limit=9)[0]] == [20] * 4
        assert sum(hour.spans for hour in store.usage("default", SpanFilter())) == 80
    finally:
        store.close()


FULL = """
import resource, sys
from pathlib import Path
from mainspring.backends.spans_sqlite import SqliteSpans
from mainspring.kernel.errors import Unavailable
from mainspring.kernel.spans import Span, SpanFilter
store = SqliteSpans(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
def send(n):
    ids = {"trace_id": f"{n:032x}", "span_id": f"{n:016x}"}
    noise = "".join(chr(33 + (n * k * 7919) % 90) for k in range(3000))
    store.append([Span(**ids, project="default", start_ns=n, end_ns=n, input=noise)])
refused, kept = 0, []
for n in range(1, 1500):
    try:
        send(n)
        kept.append(n)
    except Unavailable:
        refused += 1
        if refused == 3:
            break
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
send(2000)
store.flush()
found = {int(s.trace_id, 16) for s in store.scan("default", SpanFilter(), limit=9999)}
assert refused == 3, refused
assert found == {*kept, 2000}, (len(found), len(kept))
store.close()
"""


def test_a_full_disk_refuses_spans_and_loses_none_that_were_taken(tmp_path):
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
