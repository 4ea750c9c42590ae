"""Intake: the one way by which spans reach the store. Chosen, priced, stripped or masked, then appended."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from mainspring.kernel import access
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.traces import forgetting
from mainspring.traces.capture import Masker, Sampler
from mainspring.traces.capture_service import captured
from mainspring.traces.counting import span_tokens
from mainspring.traces.models import CaptureRules, moment
from mainspring.traces.prices import book
from mainspring.traces.pricing import Price, PriceBook
from mainspring.traces.privacy import redacted, without_content

_KNOWN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Known:
    """What a project's spans are prepared by."""

    since: float
    prices: PriceBook
    rules: CaptureRules
    masker: Masker
    forgotten: Mapping[str, int]


class Intake:
    """Prepares and appends spans; keep one for each process, since it remembers prices and rules for some seconds."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._known: dict[str, Known] = {}
        self._lock = threading.Lock()
        self._sampler = Sampler()
        self._content, self._redact = (bool(platform.settings[f"capture.{name}"]) for name in ("content", "redact"))

    def receive(self, spans: Sequence[Span]) -> None:
        """Store what the project's rules keep of the spans that one request of an application brought, durably."""
        if spans:
            self.append(self._sampler.kept(self._of(spans[0].project).rules, spans))

    def append(self, spans: Sequence[Span], *, synced: bool = True) -> None:
        """Store spans durably; not `synced`, so that a kill loses nothing. Raises what the store raises."""
        self._platform.spans.append(self._remembered([self.prepared(span) for span in spans]), synced=synced)

    def ready(self, project: str) -> bool:
        """Whether a span of the project can be appended now without asking the records, and without crowding."""
        known = self._known.get(project)
        if known is None or time.monotonic() - known.since > _KNOWN_SECONDS:
            return False
        return not self._platform.spans.crowded

    def prepared(self, span: Span) -> Span:
        """Return the span as it may be written: with its cost, and without what the settings keep out."""
        known = self._of(span.project)
        tokens = span.input_tokens is not None or span.output_tokens is not None
        if known.prices and tokens and span.cost is None and span.model:
            span = msgspec.structs.replace(span, cost=self.cost(span))
        if not self._content:
            span = without_content(span)
        if self._redact:
            span = redacted(span)
        return known.masker.masked(span)

    def _remembered(self, spans: list[Span]) -> list[Span]:
        """Leave out what users began before they were erased."""
        known = self._of(spans[0].project).forgotten if spans else None
        late = forgetting.late(self._platform, known, spans) if known else None
        if not late:
            return spans
        with access.acting_as(access.system(spans[0].project)), self._platform.begin() as tx:
            forgetting.report(tx, late)
        return [span for span in spans if span.trace_id not in late]

    def cost(self, span: Span) -> float | None:
        """Return the US dollars of a call by the project's prices; None where the model has none."""
        price = self.price(span.project, span.model, moment(span.start_ns), provider=span.provider)
        return price.cost(span_tokens(span)) if price else None

    def price(self, project: str, model: str, at: datetime, *, provider: str = "") -> Price | None:
        """Return the price of a model in a project at a moment."""
        return self._of(project).prices.price(model, at, provider=provider)

    def _of(self, project: str) -> Known:
        now, known = time.monotonic(), self._known.get(project)
        if known is None or now - known.since > _KNOWN_SECONDS:
            with access.acting_as(access.system(project)), self._platform.read() as tx:
                rules, prices, forgotten = captured(tx), book(tx), forgetting.forgotten(tx)
            key = self._platform.keyring.key(f"capture/{project}")
            known = Known(now, prices, rules, Masker(rules.mask, key), forgotten)
            with self._lock:
                self._known[project] = known
        return known
