"""Starting: from what somebody asks for to the parameters of a run, every reference exact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.evals import suites
from mainspring.kernel.errors import Invalid
from mainspring.kernel.refs import parse
from mainspring.kernel.tx import Tx

_USUAL = {"split": "test", "constrained": False, "seed": 0, "repeats": 1}


def params(
    tx: Tx, source: str, target: str, prompt: str, model: str, given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return a run's parameters and its exact inputs; what is None in `given` comes from the suite, or is usual.

    Raises Invalid, NotFound, Denied.
    """
    from mainspring.evals import plan as plans
    from mainspring.evals.scoring import pinned

    asked = {name: value for name, value in given.items() if value is not None}
    suite = suites.load(tx, source) if source.startswith("suite/") else None
    if suite is None and parse(source, None if "/" in source else "dataset").kind != "dataset":
        raise Invalid(f"'{source}' has no rows to ask.", hint="Give dataset/… or suite/….")
    if suite is not None:
        said = {"split": suite.split, "scorers": suite.scorers, **suite.settings.model_dump(exclude_none=True)}
        asked = {**said, **asked}
    found = {**_USUAL, **asked}
    plan = plans.make(tx, suite.dataset if suite else source, target, prompt, bool(found["constrained"]), model=model)
    metrics = plans.choose_metrics(pinned(tx, found.get("scorers", [])), plan)
    return {
        "dataset": plan.dataset,
        "target": plan.target,
        "prompt": plan.prompt.ref if plan.prompt else "",
        "suite": suite.ref if suite else "",
        "split": found["split"],
        "scorers": [metric.name for metric in metrics],
        "constrained": found["constrained"],
        "limit": found.get("limit"),
        **plans.generation(plan, found.get("max_tokens"), found.get("temperature")),
        "seed": found["seed"],
        "repeats": found["repeats"],
        "asked": {name: found.get(name) for name in ("max_tokens", "temperature")},
    }, [*plan.inputs, *([suite.ref] if suite else [])]


def check(tx: Tx, found: Mapping[str, Any], max_calls: int | None, max_cost: float | None, baseline: str) -> None:
    """Raise Invalid where a budget would not hold or not do, Invalid or NotFound where there is no fitting baseline."""
    from mainspring.evals import judging, regression, scorers
    from mainspring.evals import plan as plans

    plan = plans.make(tx, found["dataset"], found["target"], found["prompt"], found["constrained"])
    plans.check_budget(tx, plan, max_cost)
    judging.check_budget(tx, [scorers.metric(name) for name in found["scorers"]], max_calls, max_cost)
    if baseline:
        regression.check(tx, baseline, found)
