"""Regression: holding an experiment against a baseline, which is asked along where nobody asked it yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.evals import plan as plans
from mainspring.evals import scorers, store
from mainspring.evals.comparison import compare
from mainspring.evals.models import SPEED, Experiment
from mainspring.evals.report import worse
from mainspring.kernel import versions
from mainspring.kernel.errors import GateFailed, Invalid, NotFound
from mainspring.kernel.ports import Files
from mainspring.kernel.refs import parse
from mainspring.kernel.tx import Tx

_LOOKED_AT = 200


def find(tx: Tx, named: str, params: Mapping[str, Any]) -> tuple[Experiment | None, dict[str, Any]]:
    """Return the experiment that `named` means, or None and the parameters of the one that must be made.

    `named` is a label such as `production`, or an experiment's id or name. A label comes first, since anybody may give
    an experiment its name: the baseline is then what the label points at now, the prompt's version where there is a
    prompt, else the target's. Raises NotFound, Invalid where the experiment and its baseline are the same.
    """
    field = "prompt" if params["prompt"] else "target"
    ref = str(params[field])
    if "://" in ref or ref.startswith("deployment/"):
        return store.load(tx, named), {}
    kind = parse(ref)
    exact = _labelled(tx, f"{kind.kind}/{kind.name}", named)
    if not exact:
        try:
            return store.load(tx, named), {}
        except NotFound:
            raise NotFound(
                f"'{named}' is no experiment and no label of {kind.kind}/{kind.name}.",
                hint="Name an experiment, or a label that points at the version to hold against.",
            ) from None
    if exact == ref:
        raise Invalid(f"{ref} is {named} itself.", hint="Ask another version, or name an experiment as the baseline.")
    wanted = {**params, field: exact, "name": "", "fail_if_worse_than": ""}
    plan = plans.make(tx, wanted["dataset"], wanted["target"], wanted["prompt"], wanted["constrained"])
    wanted.update(plans.generation(plan, **params["asked"]))
    found, _ = store.page(
        tx,
        name="",
        dataset=wanted["dataset"],
        target=wanted["target"],
        prompt=wanted["prompt"],
        suite="",
        limit=_LOOKED_AT,
        cursor="",
    )
    return next((one for one in found if one.constrained == plan.constrained and _alike(one, wanted)), None), wanted


def _labelled(tx: Tx, ref: str, named: str) -> str:
    """Return the exact version that `named` selects of what a reference names; empty where it selects none."""
    try:
        return versions.resolve(tx, f"{ref}@{named}").ref
    except (NotFound, Invalid):
        return ""


def check(tx: Tx, named: str, params: Mapping[str, Any]) -> None:
    """Refuse, before anything is paid for, a baseline that nothing could be held against. Raises NotFound, Invalid."""
    found, wanted = find(tx, named, params)
    if found is not None:
        dataset, held = found.dataset, found.constrained
        measured = {figure.metric for figure in found.figures}
    else:
        dataset, held, measured = wanted["dataset"], _constrained(tx, wanted), set(wanted["scorers"])
    if dataset != params["dataset"]:
        raise Invalid(
            f"{named} was made over {dataset or 'no dataset'}, not {params['dataset']}.",
            hint="Name a baseline over the same version of the dataset.",
        )
    if held != _constrained(tx, params):
        raise Invalid(
            f"Only one of {named} and this experiment is held to a response schema.",
            hint="Compare like with like: ask both constrained, or neither.",
        )
    if all(scorers.metric(name).scorer.unit in SPEED for name in params["scorers"] if name in measured):
        raise Invalid(
            f"No metric of quality is measured both in {named} and here.",
            hint=f"{named} has {', '.join(sorted(measured))}.",
        )


def hold(files: Files, baseline: Experiment, candidate: Experiment, named: str) -> str:
    """Return in words that the candidate is not shown to be worse. Raises GateFailed where it is, on what, how much."""
    shared = {figure.metric for figure in baseline.figures if figure.unit not in SPEED}
    names = [figure.metric for figure in candidate.figures if figure.metric in shared]
    if not names:
        raise Invalid("No metric of quality was measured on both sides.", hint="Score both with the same scorers.")
    found = compare(files, baseline, candidate, names)
    bad = worse(found)
    if bad:
        raise GateFailed(
            f"Worse than {named}. " + " ".join(f"{one.metric}: {one.sentence}" for one in bad)[:2000],
            hint=f"`mainspring experiment align {baseline.id} {candidate.id} --show changed` shows the rows.",
            baseline=baseline.id,
            candidate=candidate.id,
            metrics=[one.metric for one in bad],
        )
    return f"Not shown to be worse than {named}. " + " ".join(f"{one.metric}: {one.sentence}" for one in found.metrics)


def _alike(one: Experiment, wanted: Mapping[str, Any]) -> bool:
    """Tell whether an experiment asked the same rows in the same way, and came to its end."""
    same = ("limit", "max_tokens", "temperature", "stop", "seed", "repeats")
    measured = {figure.metric for figure in one.figures}
    return (
        not one.stopped
        and one.prompt == wanted["prompt"]
        and one.split == wanted["split"]
        and all(one.settings.get(name) == wanted[name] for name in same)
        and measured >= set(wanted["scorers"])
    )


def _constrained(tx: Tx, params: Mapping[str, Any]) -> bool:
    """Tell whether what the parameters ask for is held to a schema, by them or by a release itself."""
    return plans.make(tx, params["dataset"], params["target"], params["prompt"], params["constrained"]).constrained
