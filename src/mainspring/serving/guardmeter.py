"""Guard meters: what guards found and what they cost, as totals in the text format of Prometheus."""

from __future__ import annotations

from collections import defaultdict

from mainspring.serving.guarding import Findings

_Key = tuple[str, str, str]


class GuardCounters:
    """Totals since the process began; whoever calls holds a lock."""

    def __init__(self) -> None:
        self._seconds: dict[_Key, float] = defaultdict(float)
        self._hits: dict[_Key, int] = defaultdict(int)
        self._actions: dict[tuple[str, str], int] = defaultdict(int)

    def add(self, guard: str, findings: Findings) -> None:
        """Count one call under the guard `guard`; nothing without one."""
        if not guard:
            return
        self._actions[(guard, findings.action)] += 1
        for stage, meter in findings.meters.items():
            for detector, ns in meter.ns.items():
                self._seconds[(guard, stage, detector)] += ns / 1e9
        for hit in findings.hits:
            self._hits[(guard, hit["stage"], hit["detector"])] += 1

    def lines(self) -> list[str]:
        """Return every total."""
        lines: list[str] = []
        if self._actions:
            lines.append("# TYPE mainspring_guard_calls_total counter")
            lines += [
                f'mainspring_guard_calls_total{{guard="{guard}",action="{action}"}} {count}'
                for (guard, action), count in self._actions.items()
            ]
            lines.append("# TYPE mainspring_guard_seconds_total counter")
            lines += [
                f"mainspring_guard_seconds_total{{{_text(key)}}} {value:.9f}" for key, value in self._seconds.items()
            ]
            lines.append("# TYPE mainspring_guard_hits_total counter")
            lines += [f"mainspring_guard_hits_total{{{_text(key)}}} {value}" for key, value in self._hits.items()]
        return lines


def _text(key: _Key) -> str:
    # Names follow the grammar of references, in which nothing needs escaping.
    return f'guard="{key[0]}",stage="{key[1]}",detector="{key[2]}"'
