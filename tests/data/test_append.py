"""Rows appended one by one, as the playground does."""

import pytest

from mainspring.data.models import Row
from mainspring.data.service import Datasets
from mainspring.kernel import lineage
from mainspring.kernel.errors import Invalid


def row(name, **more):
    return Row.model_validate({"id": name, "messages": [{"role": "user", "content": name}], **more})


def test_rows_are_added_at_the_end_and_keep_their_origin(platform):
    datasets, trace = Datasets(platform), "ab" * 16
    assert datasets.append("tried", [row("a")]).ref == "dataset/tried@1"
    made = datasets.append("tried", [row("b", meta={"trace_id": trace}), row("c", split="test")], note="good ones")
    assert (made.ref, made.rows, made.source, made.splits) == ("dataset/tried@2", 3, "append", {"test": 1})
    assert [item.id for item in datasets.rows("tried").items] == ["a", "b", "c"]
    assert datasets.get("tried", selector="1").rows == 1
    with platform.read() as tx:
        found = {(s.row_id, s.source_kind, s.source_id) for s in lineage.row_sources(tx, made.ref, ["a", "b", "c"])}
    assert found == {("a", "row", "dataset/tried@1#a"), ("b", "trace", trace)}


def test_an_id_that_is_taken_is_refused_and_nothing_is_stored(platform):
    datasets = Datasets(platform)
    datasets.append("tried", [row("a")])
    with pytest.raises(Invalid, match="'a' stands twice"):
        datasets.append("tried", [row("b"), row("a")])
    assert datasets.get("tried").number == 1
