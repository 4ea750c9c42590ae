"""Figures: what a model server says of itself, by the metrics and the slots that llama.cpp tells."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_LINE = re.compile(r"^llamacpp:(\w+) (\S+)$", re.M)


@dataclass(frozen=True, slots=True)
class Figures:
    """Totals since the server started, and what it is doing now."""

    running: int = 0
    waiting: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    generation_seconds: float = 0.0
    cache_usage: float = 0.0

    @classmethod
    def read(cls, slots: str, metrics: str) -> Figures:
        """Read them from the bodies of `/slots` and `/metrics`. Raises ValueError for anything else."""
        rows: list[dict[str, Any]] = json.loads(slots)
        found = {name: float(value) for name, value in _LINE.findall(metrics)}
        room = sum(int(row.get("n_ctx", 0)) for row in rows)
        return cls(
            running=int(found.get("requests_processing", 0)),
            waiting=int(found.get("requests_deferred", 0)),
            prompt_tokens=int(found.get("prompt_tokens_total", 0)),
            cached_tokens=int(found.get("prompt_tokens_cached_total", 0)),
            generated_tokens=int(found.get("tokens_predicted_total", 0)),
            generation_seconds=found.get("tokens_predicted_seconds_total", 0.0),
            cache_usage=min(1.0, sum(int(row.get("n_prompt_tokens", 0)) for row in rows) / room) if room else 0.0,
        )
