"""Stages 1 to 3: data, its preparation, prompts, and what the model can do before it is tuned."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from mainspring.data.corpus import make_corpus
from mainspring.evals.models import Experiment
from mainspring.prompts.models import Message
from mainspring.surfaces.demo.cast import Stage
from mainspring.surfaces.demo.plan import EXAMPLES, METRICS, SPEED, SYSTEM, packages, recipe, schema
from mainspring.surfaces.demo.report import as_dict, interval, people, shown, table

BASE = "smollm2"
RAW, CLEAN = "docstrings-raw", "docstrings"


def data(stage: Stage) -> None:
    """Make the corpus on this machine, import it, look at it, and prepare it by a recipe."""
    client, plan = stage.client, stage.plan
    with stage.report.stage("data", "Data: from docstrings on this machine to a prepared dataset") as figures:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "docstrings.jsonl"
            counts = make_corpus(
                path,
                packages=packages(),
                per_package=plan.per_package,
                per_module=plan.per_module,
                details=plan.details,
            )
            raw = client.dataset.import_(RAW, path, note="docstrings of installed packages")  # type: ignore[arg-type]
        model = client.model.pull(BASE)
        stage.made["base"] = model.ref
        run = stage.wait(client.profile.create(raw.ref, tokenizer=model.ref), "Profiling")
        profile = client.profile.get(run.result["id"])
        prepared = stage.wait(client.recipe.run(fitted(plan.quick), raw.ref, name=CLEAN), "Preparing")
        clean = client.dataset.get(CLEAN)
        stage.made |= {"raw": raw.ref, "clean": clean.ref, "labels": labels(client, clean.ref)}
        figures |= {
            "packages": counts,
            "rows": raw.rows,
            "licenses": raw.licenses,
            "exact_duplicates": profile.exact_duplicates,
            "near_duplicates": profile.near_duplicates,
            "pii": profile.pii,
            "secrets": profile.secrets,
            "tokens": profile.tokens.model_dump(exclude={"histogram"}) if profile.tokens else None,
            "label_entropy": profile.label_entropy,
            "prepared": {"ref": clean.ref, "rows": clean.rows, "splits": clean.splits, "labels": clean.labels},
            "recipe": prepared.result,
        }
        tokens = profile.tokens
        rows = [
            ("rows", profile.rows),
            ("tokens, median and 95 %", f"{tokens.p50:.0f}, {tokens.p95:.0f}" if tokens else "–"),
            ("exact duplicates", profile.exact_duplicates),
            ("near duplicates", profile.near_duplicates),
            ("rows with personal data", str(profile.pii or "none")),
            ("licences", ", ".join(profile.licenses)),
        ]
        table(f"Profile of {raw.ref}", ("", ""), rows)
        table(f"Splits of {clean.ref}", ("split", "rows"), list(clean.splits.items()))


def fitted(quick: bool) -> dict[str, Any]:
    """Return the recipe; the quick version splits off fewer rows, because there are fewer."""
    found = recipe()
    if quick:
        for step in found["steps"]:
            if "split" in step:
                step["split"] |= {"test": 40, "validation": 40}
    return found


def labels(client: Any, ref: str) -> list[str]:
    """Return the packages that the prepared dataset teaches: those not held out."""
    found: dict[str, None] = {}
    cursor: str | None = ""
    name = ref.partition("/")[2].partition("@")[0]
    while cursor is not None:
        page = client.dataset.rows(name, split="train", limit=1000, cursor=cursor)
        found |= {str(row.label): None for row in page.items}
        cursor = page.next_cursor
    return sorted(found)


def prompts(stage: Stage) -> None:
    """Commit the prompt without and with two examples, under labels."""
    client = stage.client
    with stage.report.stage("prompt", "Prompt: a versioned template with a response schema") as figures:
        asked = Message(role="user", content="{{input}}")
        shots = [
            message
            for question, answer in EXAMPLES
            for message in (Message(role="user", content=question), Message(role="assistant", content=answer))
        ]
        system = Message(role="system", content=SYSTEM)
        shape = schema(stage.made["labels"])
        zero = client.prompt.commit("docs", [system, asked], schema=shape, note="zero-shot")
        two = client.prompt.commit("docs", [system, *shots, asked], schema=shape, note="two examples")
        client.prompt.label("docs", "staging", str(zero.number))
        client.prompt.label("docs", "production", str(two.number))
        stage.made |= {"zero": zero.ref, "two": two.ref}
        figures |= {"zero_shot": zero.ref, "two_shot": two.ref, "labels": {"staging": zero.ref, "production": two.ref}}
        people.print(f"{zero.ref} (staging) asks without examples, {two.ref} (production) with two.")


def baseline(stage: Stage) -> None:
    """Measure the untuned model on held-out rows, without and with examples, free and held to the schema."""
    with stage.report.stage("baseline", "Baseline: the untuned model on held-out rows") as figures:
        base, plan = stage.made["base"], stage.plan
        stage.made["experiments"] = found = {
            "zero-shot": measure(stage, "zero-shot", base, stage.made["zero"]),
            "two-shot": measure(stage, "two-shot", base, stage.made["two"]),
            "two-shot, constrained": measure(stage, "two-shot-schema", base, stage.made["two"], constrained=True),
            "zero-shot, likelihood": likelihood(stage, "zero-shot-likelihood", base, stage.made["zero"]),
        }
        figures |= {name: as_dict(one.figures) for name, one in found.items()}
        show(f"95 % intervals; {plan.evaluated} rows, {plan.constrained} under the schema", found)


def measure(stage: Stage, name: str, target: str, prompt: str, *, constrained: bool = False) -> Experiment:
    """Run one experiment over the test split and return it."""
    plan = stage.plan
    run = stage.client.experiment.run(
        stage.made["clean"],
        target,
        prompt=prompt,
        split="test",
        scorers=[*METRICS, *SPEED],
        constrained=constrained,
        limit=plan.constrained if constrained else plan.evaluated,
        max_tokens=plan.answer_tokens,
        name=name,
    )
    return stage.client.experiment.get(stage.wait(run, f"Asking {name}").id)


def likelihood(stage: Stage, name: str, target: str, prompt: str) -> Experiment:
    """Score how probable the given answers are to a model; its own answers to these rows are known already."""
    run = stage.client.experiment.run(
        stage.made["clean"],
        target,
        prompt=prompt,
        split="test",
        scorers=["perplexity"],
        limit=stage.plan.constrained,
        max_tokens=stage.plan.answer_tokens,
        reuse=True,
        name=name,
    )
    return stage.client.experiment.get(stage.wait(run, f"Scoring {name}").id)


def show(title: str, found: dict[str, Experiment]) -> None:
    """Print experiments side by side."""
    metrics = list(dict.fromkeys(figure.metric for one in found.values() for figure in one.figures))
    by_name = [{figure.metric: interval(figure) for figure in one.figures} for one in found.values()]
    rows = [(shown(metric), *(figures.get(metric, "–") for figures in by_name)) for metric in metrics]
    table(title, ("metric", *found), rows)
