"""Stages 4 and 5: tuning, its evidence, and the review of a release by a second member."""

from __future__ import annotations

from typing import Any

from mainspring.registry.models import Parameters, Release
from mainspring.safety.models import Rule
from mainspring.surfaces.demo.cast import Stage
from mainspring.surfaces.demo.plan import METRICS
from mainspring.surfaces.demo.prepare import likelihood, measure, show
from mainspring.surfaces.demo.report import as_dict, people, table
from mainspring.tuning.models import SftConfig

TUNED, RELEASE = "docs-lora", "docs"


def tune(stage: Stage) -> None:
    """Fine-tune by LoRA on the answers alone, export, and compare trainer and server."""
    with stage.report.stage("tuning", "Tuning: LoRA on the answers, exported, trainer and server compared") as figures:
        config = SftConfig(prompt=stage.made["zero"], **stage.plan.tuning)
        run = stage.client.tune.sft(stage.made["clean"], stage.made["base"], name=TUNED, config=config)
        result: dict[str, Any] = stage.wait(run, "Tuning").result
        model = stage.client.model.get(TUNED)
        stage.made["tuned"] = model.ref
        stage.made["parity"] = result["parity"]
        figures |= {"model": model.ref, "run": run.id, "training": result["training"], "parity": result["parity"]}
        table(
            f"{model.ref} over {model.base}",
            ("exported as", "prompts", "same ids", "mean |Δ log p|", "max", "allowed", "same greedy text", "passed"),
            [
                (
                    one["format"], one["prompts"], one["token_ids_equal"], one["mean_difference"],
                    one["max_difference"], one["tolerance_max"], f"{one['greedy_equal']} of {one['prompts']}",
                    one["passed"],
                )
                for one in result["parity"]
            ],
        )  # fmt: skip


def evidence(stage: Stage) -> None:
    """Measure the tuned model on the same rows and compare it, row by row, with the better baseline."""
    with stage.report.stage("evidence", "Evidence: paired comparison with the better baseline") as figures:
        experiments = stage.made["experiments"]
        experiments["tuned"] = measure(stage, "tuned", stage.made["tuned"], stage.made["zero"])
        experiments["tuned, constrained"] = measure(
            stage, "tuned-schema", stage.made["tuned"], stage.made["zero"], constrained=True
        )
        experiments["tuned, likelihood"] = likelihood(
            stage, "tuned-likelihood", stage.made["tuned"], stage.made["zero"]
        )
        tuned = {name: one for name, one in experiments.items() if name.startswith("tuned")}
        figures |= {name: as_dict(one.figures) for name, one in tuned.items()}
        show("95 % intervals", tuned)
        comparison = compare(stage)
        stage.report.parts["comparison"] = comparison
        rows = [
            (
                name, one["against"], one["n"], one["baseline"], one["tuned"], one["difference"],
                f"[{one['low']:.3f}, {one['high']:.3f}]" if one["low"] is not None else "–", one["verdict"],
            )
            for name, one in comparison.items()
        ]  # fmt: skip
        columns = ("metric", "against", "n", "baseline", "tuned", "difference", "95 % interval", "verdict")
        table("Tuned less the better baseline, paired by row", columns, rows)


def compare(stage: Stage) -> dict[str, dict[str, Any]]:
    """Compare the tuned model with the baseline that is better at each metric; JSON validity with zero-shot too."""
    experiments = stage.made["experiments"]
    found: dict[str, dict[str, Any]] = {}
    for against in ("zero-shot", "two-shot"):
        result = stage.client.experiment.compare(experiments[against].id, experiments["tuned"].id, metrics=METRICS)
        for one in result.metrics:
            row = {
                "against": against,
                "baseline": one.baseline,
                "tuned": one.candidate,
                "difference": one.difference,
                "low": one.low,
                "high": one.high,
                "n": one.n,
                "p_value": one.p_value,
                "method": one.method,
                "verdict": one.verdict,
                "sentence": one.sentence,
            }
            if one.metric == "json":
                found["json" if against == "zero-shot" else "json (two-shot)"] = row
            elif one.metric not in found or one.baseline > found[one.metric]["baseline"]:
                found[one.metric] = row
    return found


def review(stage: Stage) -> None:
    """Make both releases, let the gate check them, and let the second member approve."""
    client, reviewer, made = stage.client, stage.reviewer, stage.made
    with stage.report.stage("review", "Review: a release, its gate, and a second member's approval") as figures:
        rules = [
            # Only what is surely an attack is refused: most questions are technical text.
            Rule(detector="injection", on="input", action="block", threshold=0.8),
            Rule(detector="secrets", on="both", action="mask"),
            Rule(detector="pii", on="output", action="mask"),
        ]
        guard = client.guard.create("docs", rules, message="This request was refused by the guard policy.")
        parameters = Parameters(max_tokens=stage.plan.answer_tokens, temperature=0.0)
        experiments = made["experiments"]
        pins: dict[str, Any] = {"guard": guard.ref, "parameters": parameters}
        old = client.release.create(RELEASE, model=made["base"], prompt=made["two"], note="untuned", **pins)
        new = client.release.create(RELEASE, model=made["tuned"], prompt=made["zero"], note="tuned", **pins)
        made["old"] = approve(stage, old, [experiments["two-shot"].id], [experiments["zero-shot"].id])
        own = [experiments[name].id for name in ("tuned", "tuned, constrained")]
        against = ("zero-shot",) if stage.plan.quick else ("zero-shot", "two-shot", "two-shot, constrained")
        others = [experiments[name].id for name in against]
        made["new"] = approve(stage, new, own, others)
        release = reviewer.release.get(RELEASE, selector=str(new.number))
        approvals = [event.model_dump(mode="json") for event in release.events if event.kind == "approved"]
        checks = stage.made["gates"][new.ref]
        stage.report.parts["release"] = {
            "reference": release.ref,
            "state": release.state,
            "author": release.author,
            "approvals": approvals,
            "gate_checks": checks,
        }
        figures |= {"baseline": made["old"].ref, "release": release.ref, "guard": guard.ref}
        table(f"Gate of {release.ref}", ("check", "passed", "found"),
              [(one["name"], one["passed"], one["summary"]) for one in checks])  # fmt: skip
        people.print(
            f"{release.ref} is {release.state}: made by {release.author}, approved by {stage.made['approver']}."
        )


def approve(stage: Stage, release: Release, own: list[str], others: list[str]) -> Release:
    """Let the gate look, and the reviewer approve where it passes.

    The quick version tunes for seconds and measures a dozen rows, which can show nothing: of it the gate asks only that
    it is not shown to be worse than the untuned model under the same prompt, and it says so.
    """
    number = str(release.number)
    policy: Any = None
    if stage.plan.quick:
        policy = {"evidence": "not shown worse"}
        people.print(
            f"So few rows show nothing: the gate asks of {release.ref} only that it is not shown to be worse, which is"
            " no evidence that it is good. The demo without --quick asks that it be shown to be better."
        )
    report = stage.client.release.check(RELEASE, candidate=own, baseline=others, selector=number, policy=policy)
    stage.made.setdefault("gates", {})[release.ref] = [one.model_dump(mode="json") for one in report.checks]
    if release.state == "approved":  # the same content was approved in an earlier round
        approved = stage.client.release.get(RELEASE, selector=number)
    else:
        approved = stage.reviewer.release.approve(RELEASE, selector=number, note="evidence read")
    stage.made["approver"] = next(event.member for event in reversed(approved.events) if event.kind == "approved")
    return approved
