"""Recipes and profiles through their operations, and leakage between splits."""

from __future__ import annotations

import json
import random

import pytest

from mainspring.data import leakage, read_rows
from mainspring.data.service import Datasets, Profiles, Recipes
from mainspring.kernel import lineage
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.registry import keep_file

WORDS = [f"word{n}" for n in range(300)]
RECIPE = {
    "name": "clean",
    "steps": [
        {"normalise": {}},
        {"filter": {"min_words": 5, "labels": ["x", "y", "away"], "fields": {"reference.topic": {"min_words": 1}}}},
        {"scrub": {"detectors": ["pii"]}},
        {"dedup": None},
        {"near_dedup": {"threshold": 0.8}},
        {"balance": {"max": 40}},
        {"split": {"test": 0.2, "validation": 0.1, "holdout": ["away"]}},
    ],
}


def raw(platform: Platform, count: int = 150) -> str:
    rng = random.Random(4)
    rows = []
    for n in range(count):
        body = " ".join(rng.choice(WORDS) for _ in range(20))
        rows.append({"id": f"n{n}", "text": body, "label": "xyyz"[n % 4], "group": f"g{n % 30}"})
        rows[-1]["reference"] = {"topic": f"write to ann{n}@mail.example"}
    rows[3]["label"] = "x"
    rows += [{**rows[0], "id": "copy", "text": rows[0]["text"].upper()}]
    rows += [{**rows[1], "id": "near", "text": rows[1]["text"] + " more"}]
    rows += [{**rows[2], "id": "short", "text": "too short"}]
    rows += [{**rows[2], "id": "mail", "text": "  please   write to bob@mail.example about these  things soon "}]
    rows += [{**rows[2], "id": f"a{n}", "label": "away", "text": " ".join(rng.sample(WORDS, 9))} for n in range(6)]
    file = keep_file(platform, "\n".join(map(json.dumps, rows)).encode()).sha256
    return Datasets(platform).import_("raw", file).ref


def test_a_recipe_makes_a_version_with_row_lineage(platform: Platform) -> None:
    source = raw(platform)
    run = Recipes(platform).run(RECIPE, source, name="clean")
    assert run.state == "succeeded", run.error
    result = run.result
    assert result["dataset"] == "dataset/clean@1"
    rows = {row.id: row for row in read_rows(platform, "dataset/clean")}
    assert not {"copy", "near", "short"} & rows.keys()
    assert all("[EMAIL]" in row.reference["topic"] for row in rows.values())
    if "mail" in rows:
        assert rows["mail"].text == "please write to [EMAIL] about these things soon"
    assert {row.split for row in rows.values() if row.label == "away"} == {"holdout"}
    assert result["labels"] == {"x": result["labels"]["x"], "y": 40, "away": 6}
    assert result["splits"]["test"] >= 10
    by_group: dict[str, set[str]] = {}
    for row in rows.values():
        if row.split != "holdout":
            by_group.setdefault(row.group, set()).add(row.split)
    assert all(len(parts) == 1 for parts in by_group.values())
    train, test = ([row for row in rows.values() if row.split == part] for part in ("train", "test"))
    assert leakage(train, test).clean
    with platform.read() as tx:
        some = next(iter(rows))
        assert [edge.source_id for edge in lineage.row_sources(tx, "dataset/clean@1", [some])] == [f"{source}#{some}"]
        assert {edge.ref for edge in lineage.inputs_of(tx, "dataset/clean@1")} == {source, "recipe/clean@1"}
    steps = {step["step"]: step for step in result["steps"]}
    assert steps["dedup"]["reasons"] == {"same words": 1}
    assert steps["filter"]["reasons"]["text too short"] == 1
    assert steps["near_dedup"]["before"] - steps["near_dedup"]["after"] == 1
    assert [item.ref for item in Recipes(platform).list_().items] == ["recipe/clean@1"]
    again = Recipes(platform).run(RECIPE, source, name="clean")
    assert again.result["dataset"] == "dataset/clean@1"


def test_preview_stores_nothing(platform: Platform) -> None:
    source = raw(platform)
    preview = Recipes(platform).preview(RECIPE, source, limit=100)
    assert [step.step for step in preview.steps][-1] == "split"
    assert len(preview.rows) == 20
    with pytest.raises(NotFound):
        Datasets(platform).get("clean")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"polish": {}}], "step 1 names 'polish'"),
        ([{"dedup": {}}, {"near_dedup": {"treshold": 1}}], r"step 2 \(near_dedup\): treshold"),
        ([{"dedup": {}, "sample": {"rows": 1}}], "names 2 steps"),
        ([], "steps"),
    ],
)
def test_a_recipe_that_is_wrong_is_refused(platform: Platform, steps: list[object], message: str) -> None:
    source = raw(platform, 20)
    with pytest.raises(Invalid, match=message):
        Recipes(platform).run({"steps": steps}, source, name="clean")


def test_refusals(platform: Platform) -> None:
    source = raw(platform, 20)
    with pytest.raises(Conflict):
        Recipes(platform).run(RECIPE, source, name="raw")
    empty = Recipes(platform).run({"steps": [{"filter": {"min_words": 900}}]}, source, name="none")
    assert empty.state == "failed"
    assert empty.error is not None
    assert "leaves no row" in empty.error["message"]


def test_profile(platform: Platform) -> None:
    source = raw(platform)
    run = Profiles(platform).create(source)
    assert run.state == "succeeded", run.error
    profile = Profiles(platform).get(run.id)
    assert (profile.rows, profile.exact_duplicates, profile.near_duplicates) == (160, 1, 1)
    assert profile.duplicate_examples[0][:2] == ("near", "n1")
    assert profile.pii == {"email": 1}
    assert profile.words.p50 == 20
    assert sum(count for _, count in profile.words.histogram) == 160
    assert profile.labels["y"] == 78
    assert 0 < profile.label_entropy < 1
    Recipes(platform).run(RECIPE, source, name="clean")
    second = Profiles(platform).create("dataset/clean")
    changed = {change.figure: change for change in Profiles(platform).compare(run.id, second.id)}
    assert changed["exact_duplicates"].difference == -1
    assert [item.id for item in Profiles(platform).list_(dataset="dataset/clean").items] == [second.id]
    with pytest.raises(NotFound):
        Profiles(platform).get("nothing")


def test_leakage_is_found() -> None:
    from mainspring.data import Row

    body = " ".join(WORDS[:30])
    train = [Row(id="t1", text=body, group="g"), Row(id="t2", text=" ".join(WORDS[40:70]))]
    test = [
        Row(id="same", text=body.upper()),
        Row(id="near", text=" ".join(WORDS[40:69])),
        Row(id="group", text=" ".join(WORDS[90:120]), group="g"),
    ]
    found = leakage(train, test)
    assert (found.exact, found.near, found.shared_groups, found.clean) == (1, 1, 1, False)
    assert [(leak.test, leak.train) for leak in found.examples] == [("same", "t1"), ("near", "t2")]
