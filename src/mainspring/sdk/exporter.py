"""The exporter: a bounded queue, and one background thread that sends what is in it."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mainspring.sdk import wire
from mainspring.sdk.live import LiveSpan

if TYPE_CHECKING:
    import http.client

log = logging.getLogger("mainspring.sdk")
_BATCH = 512
_BATCH_BYTES = 1 << 20
"""The interpreter does nothing else while a batch becomes JSON, which takes some milliseconds for so many bytes."""
_ANNOUNCED_NS = 1_000_000_000
"""A span that runs as long is told of before it ends."""
_OPEN = 10_000
_SCORES = 1_000
_TIMEOUT = 10.0
_LONGEST_PAUSE = 30.0
_KEEPS_TRYING = 300.0
_WORDS = ("label", "comment", "correction")
"""What a score says in words, which the application's hook redacts."""
_AGAIN = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Target:
    """Where to, on whose behalf, and within what bounds."""

    url: str
    headers: dict[str, str]
    resource: dict[str, Any]
    redact: wire.Redact | None
    interval: float
    max_spans: int
    max_bytes: int


class Stats:
    """Counters of what happened to spans and scores."""

    def __init__(self) -> None:
        self.sent = 0
        self.dropped = 0
        """Left out since the queue was full, or since the server could not be reached or refused them."""
        self.rejected = 0
        """Answered by the server's `partial_success`."""


class Exporter:
    """Queues spans and scores, and sends them from its thread, which starts with the first of them."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.stats = Stats()
        self.open: dict[str, LiveSpan] = {}
        """Spans that run, by id."""
        self._address = urlsplit(target.url)
        self._told: set[str] = set()
        self._fresh()

    def _fresh(self) -> None:
        """Begin anew: at the start, and in a child after a fork, which leaves what is queued to its parent."""
        self._queue: deque[tuple[Any, int]] = deque()
        self._scores: deque[dict[str, Any]] = deque()
        self._bytes = 0
        self._busy = False
        self._closing = False
        self._hurry = False
        self._thread: threading.Thread | None = None
        self._connection: http.client.HTTPConnection | None = None
        # Reentrant: a signal handler or a finaliser may trace while its thread is in here.
        self._state = threading.Condition(threading.RLock())
        self.open.clear()

    after_fork = _fresh

    def begun(self, span: LiveSpan) -> None:
        """Note that a span runs."""
        if len(self.open) < _OPEN:
            self.open[span.span_id] = span
            if self._thread is None:
                self._start()

    def put(self, span: Any, size: int) -> None:
        """Queue an ended span, or drop and count it where there is no room."""
        with self._state:
            if self._closing or len(self._queue) >= self.target.max_spans or self._bytes > self.target.max_bytes:
                self.stats.dropped += 1
                return
            self._queue.append((span, size))
            self._bytes += size
            if len(self._queue) == _BATCH:
                self._state.notify_all()
        if self._thread is None:
            self._start()

    def put_score(self, score: dict[str, Any]) -> None:
        """Queue a score."""
        with self._state:
            if self._closing or len(self._scores) >= _SCORES:
                self.stats.dropped += 1
                return
            self._scores.append(score)
        self._start()

    def flush(self, timeout: float) -> bool:
        """Send what is queued now; return whether all of it is away in time."""
        deadline = time.monotonic() + timeout
        with self._state:
            self._hurry = True
            self._state.notify_all()
            while self._queue or self._scores or self._busy:
                left = deadline - time.monotonic()
                if left <= 0 or self._thread is None or not self._thread.is_alive():
                    return False
                self._state.wait(min(left, 0.1))
        return True

    def close(self, timeout: float) -> bool:
        """Send what is queued, within a time, and stop."""
        done = self.flush(timeout)
        with self._state:
            self._closing = True
            if not done:
                self.stats.dropped += len(self._queue) + len(self._scores)
            self._queue.clear()
            self._scores.clear()
            self._state.notify_all()
        return done

    def _start(self) -> None:
        with self._state:
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name="mainspring-sdk", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            with self._state:
                if not (self._hurry or self._closing or len(self._queue) >= _BATCH):
                    self._state.wait(self.target.interval)
                if self._closing and not self._queue:
                    return
                self._hurry, self._busy = False, True
            try:
                self._send_all()
            except Exception as problem:  # a defect in here must not end the thread
                self._tell("failed", f"spans could not be sent ({type(problem).__name__}: {problem})")
            finally:
                with self._state:
                    self._busy = False
                    self._state.notify_all()

    def _send_all(self) -> None:
        """Send what is queued now, a batch at a time, and the starts of spans that run for long."""
        now = time.time_ns()
        running = [(span, True) for span in list(self.open.values()) if span.due(now, _ANNOUNCED_NS)]
        while True:
            with self._state:
                batch = self._take()
            spans = running + [(span, False) for span, _ in batch]
            if not spans:
                break
            running = []
            body, ended = self._written(spans)
            if body:
                self._deliver("/v1/traces", body, ended)
        while self._scores:
            score = self._scores.popleft()
            said = {name: wire.redacted(score[name], self.target.redact) for name in _WORDS if name in score}
            self._deliver("/api/v1/scores", json.dumps({**score, **said}, default=str).encode(errors="replace"), 1)

    def _written(self, spans: list[tuple[Any, bool]]) -> tuple[bytes, int]:
        """Return spans as a request, and how many of them have ended; what cannot be written is dropped alone."""
        try:
            return wire.request(spans, self.target.resource, self.target.redact), _ended(spans)
        except Exception as problem:
            self._tell("unwritten", f"a span cannot be written ({type(problem).__name__}: {problem})")
        fitting = [one for one in spans if self._fits(one)]
        self.stats.dropped += _ended(spans) - _ended(fitting)
        body = wire.request(fitting, self.target.resource, self.target.redact) if fitting else b""
        return body, _ended(fitting)

    def _fits(self, span: tuple[Any, bool]) -> bool:
        try:
            return bool(wire.request([span], self.target.resource, self.target.redact))
        except Exception:  # whatever it is, the other spans are sent
            return False

    def _take(self) -> list[tuple[Any, int]]:
        """Take a batch from the queue."""
        batch: list[tuple[Any, int]] = []
        size = 0
        while self._queue and len(batch) < _BATCH and size < _BATCH_BYTES:
            batch.append(self._queue.popleft())
            size += batch[-1][1]
        self._bytes -= size
        return batch

    def _deliver(self, path: str, body: bytes, count: int) -> None:
        """Send one body until it is answered, given up, or the application ends."""
        begun, pause = time.monotonic(), 0.5
        while True:
            status, again, reply = self._post(path, body)
            if 200 <= status < 300:
                rejected = _rejected(reply) if path == "/v1/traces" else 0
                self.stats.sent += count - rejected
                self.stats.rejected += rejected
                return
            if status not in (0, *_AGAIN):
                self._tell(f"refused {status}", f"the server refused them with {status}: {reply[:200]!r}")
                break
            self._tell("away", f"the server at {self.target.url} does not take them now ({status or reply!r})")
            if time.monotonic() - begun > _KEEPS_TRYING:
                break
            with self._state:
                self._state.wait(min(max(again, pause * random.uniform(0.5, 1.5)), _LONGEST_PAUSE))  # noqa: S311
                if self._closing:
                    break
            pause *= 2
        self.stats.dropped += count

    def _post(self, path: str, body: bytes) -> tuple[int, float, bytes]:
        """Send one request; return its status (0 where nothing answered), how long to wait, and the reply."""
        import http.client

        headers = {**self.target.headers, "Content-Type": "application/json"}
        if path == "/v1/traces" and len(body) > 1024:
            import gzip

            body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        try:
            fresh = self._connection is None
            self._connection = self._connection or self._connect()
            try:
                return self._ask(path, body, headers)
            except (http.client.HTTPException, ConnectionError):
                if fresh:
                    raise
                # The server may have closed a connection that was idle; that says nothing of this request.
                self._connection.close()
                self._connection = self._connect()
                return self._ask(path, body, headers)
        except (OSError, http.client.HTTPException, ValueError) as problem:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return 0, 0.0, str(problem)[:200].encode()

    def _ask(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, float, bytes]:
        assert self._connection is not None
        self._connection.request("POST", self._address.path.rstrip("/") + path, body, headers)
        reply = self._connection.getresponse()
        said = reply.read(1 << 20)
        wait = reply.headers.get("Retry-After", "")
        return reply.status, float(wait) if wait.isdecimal() else 0.0, said

    def _connect(self) -> http.client.HTTPConnection:
        import http.client

        host, port = self._address.hostname or "127.0.0.1", self._address.port
        if self._address.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT)
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT)

    def _tell(self, what: str, problem: str) -> None:
        """Log a kind of trouble once."""
        if what not in self._told:
            self._told.add(what)
            log.warning("mainspring: traces: %s", problem)


def _ended(spans: list[tuple[Any, bool]]) -> int:
    return sum(not running for _, running in spans)


def _rejected(reply: bytes) -> int:
    try:
        partial = json.loads(reply or b"{}").get("partialSuccess") or {}
        count = int(partial.get("rejectedSpans") or 0)
    except (ValueError, AttributeError, TypeError):
        return 0
    if count:
        log.warning(
            "mainspring: traces: the server rejected %d spans: %s", count, str(partial.get("errorMessage"))[:300]
        )
    return count
