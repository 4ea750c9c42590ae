"""Datasets through their operations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mainspring.data import load, read_rows
from mainspring.data.service import Datasets
from mainspring.kernel import lineage
from mainspring.kernel.errors import Denied, Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.registry import keep_file


@pytest.fixture
def upload(platform: Platform) -> Callable[[list[dict[str, object]]], str]:
    return lambda rows: keep_file(platform, "\n".join(json.dumps(row) for row in rows).encode()).sha256


Upload = Callable[[list[dict[str, object]]], str]
FAQ: list[dict[str, object]] = [
    {"id": "a", "prompt": "How?", "completion": "So.", "label": "how", "split": "train"},
    {"id": "b", "prompt": "Why?", "completion": "Thus.", "label": "why", "split": "test"},
]


def test_import_list_rows_and_lineage(platform: Platform, upload: Upload) -> None:
    datasets = Datasets(platform)
    file = upload(FAQ)
    made = datasets.import_("faq", file, license="CC0-1.0", note="first")
    assert (made.ref, made.rows, made.labels) == ("dataset/faq@1", 2, {"how": 1, "why": 1})
    assert (made.splits, made.licenses, made.source) == ({"train": 1, "test": 1}, {"CC0-1.0": 2}, "import")
    assert datasets.import_("faq", file, license="CC0-1.0").existed
    assert [item.ref for item in datasets.list_().items] == ["dataset/faq@1"]
    assert [row.id for row in read_rows(platform, "dataset/faq", split="test")] == ["b"]
    with platform.read() as tx:
        assert load(tx, "dataset/faq@1").sha256 == made.sha256
        assert [edge.source_id for edge in lineage.row_sources(tx, made.ref, ["b"])] == [f"{file}#2"]
        assert [edge.row_id for edge in lineage.rows_from(tx, "file", f"{file}#1")] == ["a"]


def test_rows_are_paged_and_filtered(platform: Platform, upload: Upload) -> None:
    datasets = Datasets(platform)
    rows = [{"text": f"text number {n}", "label": "odd" if n % 2 else "even"} for n in range(1203)]
    datasets.import_("many", upload(rows))
    seen, cursor = [], ""
    while True:
        page = datasets.rows("many", limit=500, cursor=cursor)
        seen += [row.text for row in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert seen == [row["text"] for row in rows]
    first = datasets.rows("many", label="odd", limit=3)
    assert [row.text for row in first.items] == ["text number 1", "text number 3", "text number 5"]
    assert datasets.rows("many", label="odd", limit=1, cursor=first.next_cursor or "").items[0].text == "text number 7"
    found = datasets.rows("many", query="NUMBER 1202").items
    assert [row.text for row in found] == ["text number 1202"]
    assert datasets.rows("many", row_id=found[0].id).items == found
    assert datasets.rows("many", row_id="nowhere").items == []


def test_diff_export_and_delete(platform: Platform, upload: Upload) -> None:
    datasets = Datasets(platform)
    datasets.import_("faq", upload(FAQ))
    changed = [{**FAQ[0], "completion": "Otherwise."}, {"id": "c", "prompt": "Who?", "completion": "You."}]
    second = datasets.import_("faq", upload(changed))
    diff = datasets.diff("faq", "1", "2")
    assert (diff.added, diff.removed, diff.changed, diff.same) == (1, 1, 1, 0)
    exported = datasets.export("faq", selector="1", split="test", format="prompt_completion")
    assert json.loads(platform.files.read(exported.file)) == {"prompt": "Why?", "completion": "Thus."}
    assert datasets.import_("again", datasets.export("faq").file).rows == 2
    datasets.delete("faq", 2)
    with pytest.raises(NotFound):
        datasets.get("faq", selector="2")
    assert datasets.get("faq").ref == "dataset/faq@1"
    assert second.rows == 2


def test_a_file_that_another_project_holds_outlives_the_dataset(platform: Platform, upload: Upload, acting) -> None:  # type: ignore[no-untyped-def]
    datasets = Datasets(platform)
    before = {stored.sha256 for stored in platform.files.list()}
    file = upload(FAQ)
    datasets.import_("faq", file)
    [rows] = {stored.sha256 for stored in platform.files.list()} - before - {file}
    with acting(project="other"):
        assert keep_file(platform, platform.files.read(rows)).sha256 == rows
    datasets.delete("faq", 1)
    assert platform.files.exists(rows)


def test_a_bad_row_leaves_nothing(platform: Platform, upload: Upload) -> None:
    datasets = Datasets(platform)
    file = upload([*FAQ, {"id": "a", "text": "again"}])
    before = {stored.sha256 for stored in platform.files.list()}
    with pytest.raises(Invalid, match="Row 3: the row id 'a' stands twice"):
        datasets.import_("faq", file)
    assert {stored.sha256 for stored in platform.files.list()} == before
    assert datasets.list_().items == []
    with pytest.raises(NotFound):
        datasets.import_("faq", "0" * 64)


def test_permissions(platform: Platform, upload: Upload, acting) -> None:  # type: ignore[no-untyped-def]
    file = upload(FAQ)
    datasets = Datasets(platform)
    datasets.import_("faq", file)
    with acting(role="viewer", member="bob"):
        assert datasets.get("faq").rows == 2
        with pytest.raises(Denied):
            datasets.import_("faq", file)
    with acting(role="developer", member="dan"), pytest.raises(Denied):
        datasets.delete("faq", 1)
    with acting(project="other"), pytest.raises(NotFound):
        datasets.get("faq")


def test_the_example_recipe_is_valid() -> None:
    import yaml

    from mainspring.data.recipe import parse

    path = Path(__file__).parents[2] / "examples" / "docstrings.yaml"
    assert parse(yaml.safe_load(path.read_text())).name == "docstrings"
