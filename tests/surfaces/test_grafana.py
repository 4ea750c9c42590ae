"""The dashboard for Grafana: every expression names metrics and labels that are really exported."""

from __future__ import annotations

import json
import re
import threading
from types import SimpleNamespace

from starlette.testclient import TestClient
from tests.surfaces.test_every_face import NoEngines
from tests.surfaces.test_metrics import parsed
from typer.testing import CliRunner

from mainspring.kernel import access, runs
from mainspring.kernel.errors import Unavailable
from mainspring.kernel.platform import Platform
from mainspring.serving.cache.cache import Cache
from mainspring.serving.counters import Counters
from mainspring.serving.guarding import Findings
from mainspring.surfaces.app import build_app
from mainspring.surfaces.cli import app
from mainspring.surfaces.grafana import PANELS, dashboard
from mainspring.traces import Scores, Tokens
from mainspring.workspace import first_start

_METRIC = re.compile(r"mainspring_\w+")
_SELECTOR = re.compile(r"(mainspring_\w+)\{([^}]*)\}")
_BY = re.compile(r"by \(([\w, ]+)\)")


class Ended:
    """A call that has everything that is counted."""

    class target:  # noqa: N801
        provider, guard, deployment, environment, model = "acme", "guard/g@1", "docs", "production", "model/m@1"
        above = None

    usage = Tokens(input_tokens=10, output_tokens=5, cached_tokens=2)
    elapsed_ms, ttft_ms, cost = 500.0, 50.0, 0.01

    def __init__(self) -> None:
        self.findings = Findings()
        self.findings.action = "mask"
        self.findings.hits.append({"stage": "input", "detector": "pii", "kind": "email", "score": 1.0})


class Refused(Exception):
    code = "insufficient_quota"


def exported(platform: Platform) -> dict[str, set[str]]:
    """Return the labels of every metric that a server with some traffic exports, by its name."""
    platform.engine_port = NoEngines()
    made = first_start(platform)
    assert made is not None
    with access.acting_as(access.system("default")):
        Scores(platform).create("helpful", trace_id="a" * 32, number=1)
        with platform.begin() as tx:
            runs.create(tx, "tune.sft", {}, [])
    with TestClient(build_app(platform, dict)) as http:
        held = http.get("/metrics", headers={"Authorization": f"Bearer {made.secret}"}).text
    counters = Counters()
    for outcome, error in (("ok", None), ("error", Unavailable("no")), ("limited", Refused())):
        counters.add(Ended(), outcome, error)  # type: ignore[arg-type]
    counters.add(Ended(), "error", Unavailable("no"), passed=True)  # type: ignore[arg-type]
    totals = counters.snapshot()
    looked_up = SimpleNamespace(_lock=threading.Lock(), _totals={"hits": 1, "semantic": 1, "misses": 1})
    Cache.add_to(looked_up, totals)  # type: ignore[arg-type]
    found: dict[str, set[str]] = {}
    for text in (held, totals.render()):
        for name, labels in parsed(text)[1]:
            found.setdefault(name, set()).update(key for key, _ in labels)
    return found


def test_every_expression_names_what_is_exported_with_its_labels(bare_platform: Platform) -> None:
    found = exported(bare_platform)
    asked = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    asked += [variable["query"] for variable in dashboard()["templating"]["list"]]
    assert len(asked) > len(PANELS)
    for expression in asked:
        names = set(_METRIC.findall(expression))
        assert names and names <= set(found), (expression, names - set(found))
        for name, matchers in _SELECTOR.findall(expression):
            assert set(re.findall(r"(\w+)=", matchers)) <= found[name], (expression, found[name])
        for labels in _BY.findall(expression):
            wanted = {label.strip() for label in labels.split(",")}
            assert any(wanted <= found[name] for name in names), (expression, wanted)


def test_the_command_prints_what_grafana_imports() -> None:
    done = CliRunner().invoke(app, ["metrics", "grafana"])
    assert done.exit_code == 0
    made = json.loads(done.stdout)
    assert made["title"] == "Mainspring" and len(made["panels"]) == len(PANELS)
    places = [panel["gridPos"] for panel in made["panels"]]
    cells = [(at["x"] + x, at["y"] + y) for at in places for x in range(at["w"]) for y in range(at["h"])]
    assert len(cells) == len(set(cells)), "panels lie on each other"
    assert all(at["x"] + at["w"] <= 24 for at in places)
