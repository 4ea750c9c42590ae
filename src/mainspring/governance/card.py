"""The model card of a release: what it is, what it was made of, what was measured, and who decided.

After Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv:1810.03993), with the metadata head of the hub.
Nothing in it is written by hand, so nothing in it can disagree with the records.
"""

from __future__ import annotations

from typing import Any

from mainspring.governance.facts import ReleaseFacts
from mainspring.registry.card import front_matter


def write(facts: ReleaseFacts) -> str:
    """Return the card in Markdown."""
    release, model = facts.release, facts.model
    head = front_matter(model, datasets=[each.ref for each in facts.datasets], results=_results(facts))
    state = release.state.replace("_", " ")
    parts = [
        head,
        f"# {release.name} {release.number}\n",
        f"`{release.ref}` is {state}. It was made by {release.author} on {release.created_at:%Y-%m-%d}."
        + (f" {release.note}" if release.note else "")
        + "\n",
        *_section("What is served", _served(facts)),
        *_section("Training", _training(facts)),
        *_section("Evaluation", _evaluation(facts)),
        *_section("Review", _review(facts)),
        *_section("Limits", _limits(facts)),
    ]
    return "\n".join(parts)


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"## {title}\n", *lines, ""]


def _served(facts: ReleaseFacts) -> list[str]:
    release, model = facts.release, facts.model
    lines = [f"- Model: `{model.ref}` ({model.format}, {model.license or 'no licence given'})"]
    lines += [f"- Base: `{base.ref}` ({base.license or 'no licence given'})" for base in facts.bases]
    lines.append(
        f"- Prompt: {f'`{release.prompt}`' if release.prompt else 'none; messages go to the model as they are'}"
    )
    lines.append(f"- Guard policy: {f'`{release.guard}`' if release.guard else 'none'}")
    pinned = release.parameters.model_dump(exclude_none=True)
    lines.append(f"- Parameters: {', '.join(f'{name} {value}' for name, value in pinned.items()) or 'none pinned'}")
    lines += [f"- File `{file.path}`: sha256 `{file.sha256}`, {file.size:,} bytes" for file in model.files]
    return lines


def _training(facts: ReleaseFacts) -> list[str]:
    if not facts.datasets:
        return ["The model was not tuned here."]
    lines = []
    for dataset in facts.datasets:
        content = dataset.content if isinstance(dataset.content, dict) else {}
        licences = ", ".join(f"{name or 'none given'} {count}" for name, count in content.get("licenses", {}).items())
        lines.append(
            f"- Dataset `{dataset.ref}`: {content.get('rows', 0):,} rows" + (f" ({licences})" if licences else "")
        )
    lines += [f"- Run `{run.id}` ({run.kind}), started by {run.created_by}" for run in facts.runs]
    return lines


def _evaluation(facts: ReleaseFacts) -> list[str]:
    if not facts.comparisons:
        return ["No evidence has been checked."]
    lines = [
        "| metric | baseline | this | difference | 95 % interval | rows | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in facts.comparisons:
        low, high = one.get("low"), one.get("high")
        span = "none" if low is None or high is None else f"{low:+.4f} to {high:+.4f}"
        figures = f"{one['baseline']:.4f} | {one['candidate']:.4f} | {one['difference']:+.4f}"
        lines.append(f"| {one['metric']} | {figures} | {span} | {one['n']} | {one['verdict']} |")
    return lines


def _review(facts: ReleaseFacts) -> list[str]:
    checks = facts.report.get("checks", [])
    lines = [f"- {'Passed' if one['passed'] else 'Failed'}: {one['name']}. {one['summary']}" for one in checks]
    for made in facts.decisions:
        note = f": {made.note}" if made.note else ""
        lines.append(f"- {made.kind.capitalize()} by {made.member} on {made.at:%Y-%m-%d}{note}")
    return lines or ["It has not been reviewed."]


def _limits(facts: ReleaseFacts) -> list[str]:
    lines = ["- The figures hold for the rows that were measured; other questions may be answered worse."]
    if facts.datasets:
        lines.append("- It was tuned on one kind of task; outside of it, expect less than from its base.")
    if not facts.release.guard:
        lines.append("- No guard policy looks at what goes in and what comes out.")
    return lines


def _results(facts: ReleaseFacts) -> list[dict[str, Any]]:
    return [
        {
            "task": {"type": "text-generation"},
            "dataset": {"name": one.get("dataset", ""), "type": one.get("dataset", "")},
            "metrics": [{"type": one["metric"], "value": one["candidate"]}],
        }
        for one in facts.comparisons
    ]
