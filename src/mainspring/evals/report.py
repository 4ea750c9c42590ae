"""Reports: an experiment, alone or against its baseline, in the forms that other tools read."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from mainspring.evals.models import SPEED, Comparison, Experiment, ExperimentRow, Figure, MetricComparison
from mainspring.kernel.tables import canonical
from mainspring.stats.intervals import normal_quantile

_MARKS = re.compile(r"[\\`*{}\[\]<>!|~&]|(?<!\w)_|_(?!\w)|^[-+=#]")
_MENTION = re.compile(r"(?<![A-Za-z0-9_])@")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def worse(comparison: Comparison) -> list[MetricComparison]:
    """Return the metrics of quality that got worse, by the rule's verdict, which is that after correction."""
    return [one for one in comparison.metrics if one.verdict == "worse" and one.unit not in SPEED]


def title(experiment: Experiment) -> str:
    """Return what an experiment is called: its name, else what was asked."""
    return experiment.name or " ".join(filter(None, (experiment.target, experiment.prompt)))


def markdown(experiment: Experiment, comparison: Comparison | None = None) -> str:
    """Return a text for a pull request: figures with intervals, and what changed where there is a baseline."""
    lines = [f"### {_cell(title(experiment))}", "", _cell(_facts(experiment)), ""]
    if comparison is None:
        lines += ["| metric | value | 95 % interval | rows |", "|---|---:|---|---:|"]
        lines += [
            f"| {_cell(one.metric)} | {_number(one.value)} | {_span(one.low, one.high)} | {one.n} |"
            for one in experiment.figures
        ]
        return "\n".join(lines) + "\n"
    lines += [
        "| metric | baseline | candidate | difference | interval | p | verdict |",
        "|---|---:|---:|---:|---|---:|---|",
    ]
    lines += [
        f"| {_cell(one.metric)} | {_number(one.baseline)} | {_number(one.candidate)} |"
        f" {_number(one.difference, True)} | {_span(one.low, one.high)} | {_number(one.p_adjusted)} | {_verdict(one)} |"
        for one in comparison.metrics
    ]
    lines += [
        "",
        f"{comparison.rows} rows paired with experiment `{comparison.baseline}`. {_cell(comparison.note)}".rstrip(),
    ]
    return "\n".join(lines) + "\n"


def junit(experiment: Experiment, comparison: Comparison | None = None) -> str:
    """Return JUnit XML: a test for each metric, which fails where the metric got worse than the baseline's."""
    failed = {one.metric: one for one in worse(comparison)} if comparison else {}
    compared = {one.metric: one for one in comparison.metrics} if comparison else {}
    facts = {"name": _xml(title(experiment)), "tests": str(len(experiment.figures)), "failures": str(len(failed))}
    root = ElementTree.Element("testsuites", facts)
    suite = ElementTree.SubElement(root, "testsuite", {**facts, "timestamp": experiment.created_at.isoformat()})
    properties = ElementTree.SubElement(suite, "properties")
    for name in ("id", "dataset", "target", "prompt", "suite", "rows", "errors", "stopped"):
        ElementTree.SubElement(properties, "property", {"name": name, "value": _xml(str(getattr(experiment, name)))})
    for one in experiment.figures:
        case = ElementTree.SubElement(suite, "testcase", {"classname": facts["name"], "name": _xml(one.metric)})
        if one.metric in failed:
            said = _xml(failed[one.metric].sentence)
            ElementTree.SubElement(case, "failure", {"message": said, "type": "regression"}).text = said
        said = f"{_number(one.value)} ({_span(one.low, one.high)}, {one.n} rows)"
        if one.metric in compared:
            said += f"; {_xml(compared[one.metric].sentence)}"
        ElementTree.SubElement(case, "system-out").text = said
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def lm_eval_results(experiment: Experiment) -> str:
    """Return the results file of lm-evaluation-harness: one task, each metric with its standard error."""
    task = _task(experiment)
    results: dict[str, Any] = {"alias": task}
    for one in experiment.figures:
        results[f"{one.metric},none"] = one.value
        results[f"{one.metric}_stderr,none"] = _stderr(one)
    document = {
        "results": {task: results},
        "group_subtasks": {task: []},
        "configs": {task: {"task": task, "dataset_path": experiment.dataset, "test_split": experiment.split}},
        "versions": {task: 1},
        "n-shot": {task: 0},
        "higher_is_better": {task: {one.metric: one.higher_is_better for one in experiment.figures}},
        "n-samples": {task: {"original": experiment.rows, "effective": experiment.rows}},
        "config": {
            "model": experiment.target,
            "model_args": {"prompt": experiment.prompt},
            "limit": experiment.settings.get("limit"),
            "gen_kwargs": {name: experiment.settings.get(name) for name in ("max_tokens", "temperature", "stop")},
            "random_seed": experiment.settings.get("seed"),
        },
        "model_name": experiment.target,
        "date": experiment.created_at.timestamp(),
        "mainspring_experiment": experiment.id,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def lm_eval_samples(experiment: Experiment, rows: Sequence[ExperimentRow], start: int = 0) -> str:
    """Return the samples file of lm-evaluation-harness: a JSON line for each row."""
    settings = {name: experiment.settings.get(name) for name in ("max_tokens", "temperature", "stop", "seed")}
    lines = []
    for number, row in enumerate(rows, start):
        asked = canonical(row.messages)
        target = row.reference if isinstance(row.reference, str) else canonical(row.reference)
        sample = {
            "doc_id": number,
            "doc": {"id": row.row, "repeat": row.repeat, "messages": row.messages, "reference": row.reference},
            "target": target,
            "arguments": {"gen_args_0": {"arg_0": asked, "arg_1": settings}},
            "resps": [[row.answer]],
            "filtered_resps": [row.answer],
            "filter": "none",
            "metrics": list(row.scores),
            "doc_hash": _hash(row.row),
            "prompt_hash": _hash(asked),
            "target_hash": _hash(target),
            **row.scores,
        }
        lines.append(json.dumps(sample, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def experiment_html(experiment: Experiment) -> str:
    """Return what a notebook shows of an experiment."""
    head = ("metric", "value", "95 % interval", "rows")
    body = [(one.metric, _number(one.value), _span(one.low, one.high), one.n) for one in experiment.figures]
    return f"<p><b>{html.escape(title(experiment))}</b> {html.escape(_facts(experiment))}</p>" + _table(head, body)


def comparison_html(comparison: Comparison) -> str:
    """Return what a notebook shows of a comparison: a table for each candidate."""
    head = ("metric", "baseline", "candidate", "difference", "interval", "p", "verdict")
    parts = []
    for each in (comparison, *comparison.more):
        body = [
            (
                one.metric,
                _number(one.baseline),
                _number(one.candidate),
                _number(one.difference, True),
                _span(one.low, one.high),
                _number(one.p_adjusted),
                one.verdict,
            )
            for one in each.metrics
        ]
        said = html.escape(f"{each.candidate} against {each.baseline}: {each.rows} rows. {each.note}".rstrip())
        parts.append(f"<p>{said}</p>" + _table(head, body))
    return "".join(parts)


def _table(head: Sequence[str], body: Sequence[Sequence[object]]) -> str:
    top = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    rows = ("".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in body)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(f'<tr>{row}</tr>' for row in rows)}</tbody></table>"


def _facts(experiment: Experiment) -> str:
    parts = [experiment.target, experiment.prompt, f"{experiment.dataset} {experiment.split}".strip()]
    parts += [f"{experiment.rows} rows", f"{experiment.errors} errors" if experiment.errors else ""]
    parts += [f"${experiment.cost:.4g}" if experiment.cost else "", experiment.stopped]
    return " · ".join(part for part in parts if part)


def _verdict(one: MetricComparison) -> str:
    return f"**{one.verdict}**" if one.verdict in ("better", "worse") else one.verdict


def _number(value: float | None, signed: bool = False) -> str:
    if value is None:
        return ""
    return f"{value:+.4g}" if signed else f"{value:.4g}"


def _span(low: float | None, high: float | None) -> str:
    return "none" if low is None or high is None else f"{low:.4g} to {high:.4g}"


def _stderr(one: Figure) -> float | str:
    """Return half the interval in standard errors; lm-evaluation-harness writes N/A where there is none."""
    if one.low is None or one.high is None:
        return "N/A"
    return (one.high - one.low) / 2 / normal_quantile(0.5 + one.level / 2)


def _task(experiment: Experiment) -> str:
    source = experiment.suite or experiment.dataset or experiment.name or "experiment"
    return source.partition("/")[2].partition("@")[0] or source


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _cell(text: str) -> str:
    """Return a text as one line of Markdown that shows it, and marks up, links or calls nobody."""
    line = _MARKS.sub(r"\\\g<0>", " ".join(text.split()))
    return _MENTION.sub("@\u200b", line)


def _xml(text: str) -> str:
    """Leave out what XML 1.0 cannot hold (its production 2, Char)."""
    return _NOT_XML.sub("", text)
