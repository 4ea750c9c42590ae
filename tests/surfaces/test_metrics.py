"""Prometheus metrics: names, labels and sums, over several processes, parsed as a server of Prometheus would."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient
from tests.surfaces.test_every_face import NoEngines

from mainspring.kernel import settings
from mainspring.kernel.errors import Unavailable
from mainspring.kernel.platform import Platform
from mainspring.serving.counters import OTHER, Counters
from mainspring.serving.totals import Totals
from mainspring.surfaces.app import build_app
from mainspring.surfaces.shared_totals import SharedTotals
from mainspring.workspace import first_start

_SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)')
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"')
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> tuple[dict[str, str], Samples]:
    """Read the text format (version 0.0.4): the kind of each family, and every sample."""
    kinds: dict[str, str] = {}
    samples: Samples = {}
    family = ""
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            continue
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in kinds, f"{family} comes twice"
            kinds[family] = kind
            continue
        match = _SAMPLE.fullmatch(line)
        assert match is not None, line
        name, labels, value = match.groups()
        base = re.sub("_(bucket|sum|count)$", "", name) if kinds[family] == "histogram" else name
        assert base == family, f"{name} stands among {family}"
        key = (name, frozenset(_LABEL.findall(labels or "")))
        assert key not in samples, line
        samples[key] = float(value)
    return kinds, samples


def buckets(samples: Samples, name: str) -> list[float]:
    """The buckets of a histogram's only series, by their bounds."""
    found = [
        (float(dict(labels)["le"]), value) for (held, labels), value in samples.items() if held == f"{name}_bucket"
    ]
    return [value for _, value in sorted(found)]


def of(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the samples that have these labels."""
    return sum(
        value
        for (held, has), value in samples.items()
        if held == f"mainspring_{name}" and labels.items() <= dict(has).items()
    )


def test_the_text_is_what_prometheus_reads() -> None:
    totals = Totals()
    place = (("model_name", 'acme/"odd"\\name\n'), ("deployment", ""))
    totals.count("requests_total", (*place, ("outcome", "ok")), 3)
    totals.count("requests_total", (*place, ("outcome", "error")))
    totals.gauge("num_requests_running", (), 2)
    for value in (0.003, 0.2, 700.0):
        totals.observe("e2e_request_latency_seconds", place, value)
    kinds, samples = parsed(totals.render())
    assert kinds == {
        "mainspring_num_requests_running": "gauge",
        "mainspring_requests_total": "counter",
        "mainspring_e2e_request_latency_seconds": "histogram",
    }
    assert of(samples, "requests_total", model_name='acme/\\"odd\\"\\\\name\\n') == 4
    counts = buckets(samples, "mainspring_e2e_request_latency_seconds")
    assert counts == sorted(counts) and (counts[0], counts[-2], counts[-1]) == (1, 2, 3)
    assert of(samples, "e2e_request_latency_seconds_count") == 3
    assert Totals.load(totals.dump()).render() == totals.render()


def test_what_several_processes_counted_adds_up_and_never_goes_back(tmp_path: Path) -> None:
    counted = [Totals(), Totals(), Totals()]

    def own(totals: Totals) -> Any:
        def copy() -> Totals:
            made = Totals()
            made.plus(totals)
            return made

        return copy

    shared = [SharedTotals(tmp_path, own(totals)) for totals in counted]
    for number, totals in enumerate(counted):
        totals.count("requests_total", (("outcome", "ok"),), 10**number)
        totals.gauge("num_requests_running", (), 1)
        shared[number].start()
    assert of(parsed(shared[0].together().render())[1], "requests_total") == 111
    assert of(parsed(shared[1].together().render())[1], "num_requests_running") == 3
    counted[2].count("requests_total", (("outcome", "ok"),), 1000)
    shared[2].stop()
    again = SharedTotals(tmp_path, own(Totals()))
    again.start()
    _, samples = parsed(again.together().render())
    assert (of(samples, "requests_total"), of(samples, "num_requests_running")) == (1111, 2)
    assert of(samples, "api_processes") == 3
    for one in (*shared[:2], again):
        one.stop()
    assert len(list((tmp_path / "run" / "totals").glob("*.json"))) == 4


def test_labels_are_bounded() -> None:
    class Target:
        provider, price, guard, deployment, environment = "acme", None, "guard/g@1", "", "production"
        above = None

    class Exchange:
        def __init__(self, number: int) -> None:
            from mainspring.serving.guarding import Findings
            from mainspring.traces import Tokens

            self.target, self.usage, self.findings = Target(), Tokens(), Findings()
            self.target.model = f"acme/{number}"  # type: ignore[attr-defined]
            self.elapsed_ms, self.ttft_ms, self.cost = 5.0, None, None

    counters = Counters()
    for number in range(1500):
        counters.add(Exchange(number), "error", Unavailable("no"))  # type: ignore[arg-type]
    _, samples = parsed(counters.snapshot().render())
    names = {dict(labels).get("model_name") for (name, labels) in samples if name == "mainspring_requests_total"}
    assert len(names) == 1001
    assert of(samples, "requests_total", model_name=OTHER) == 500
    assert of(samples, "upstream_failures_total", provider="acme", code="unavailable") == 1500
    blocked = Exchange(0)
    blocked.findings.action = "block"
    blocked.findings.hits.append({"stage": "input", "detector": "secrets", "kind": "key", "score": 1.0})
    counters.add(blocked, "blocked")  # type: ignore[arg-type]
    _, samples = parsed(counters.snapshot().render())
    assert of(samples, "guard_hits_total", guard="guard/g@1", stage="input", detector="secrets") == 1
    assert of(samples, "guard_calls_total", guard="guard/g@1", action="block") == 1


def test_metrics_ask_for_a_key_unless_the_settings_say_otherwise(bare_platform: Platform) -> None:
    bare_platform.engine_port = NoEngines()
    made = first_start(bare_platform)
    assert made is not None
    with TestClient(build_app(bare_platform, dict)) as http:
        assert http.get("/metrics").status_code == 401
        reply = http.get("/metrics", headers={"Authorization": f"Bearer {made.secret}"})
        assert reply.status_code == 200 and reply.headers["content-type"].startswith("text/plain; version=0.0.4")
        kinds, samples = parsed(reply.text)
        assert kinds["mainspring_info"] == "gauge" and of(samples, "api_processes") == 1
    flags = {"home": str(bare_platform.home), "metrics.public": True}
    bare_platform.settings = settings.load(flags, environ={}, folder=bare_platform.home)
    with TestClient(build_app(bare_platform, dict)) as http:
        assert http.get("/metrics").status_code == 200
        assert http.get("/api/v1/deployments").status_code == 401
