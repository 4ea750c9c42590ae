"""The corpus of docstrings: parsed, never imported, each row with its package's licence."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mainspring.data.corpus import Source, dependencies, license_of, make_corpus, records, sources
from mainspring.data.importers import read_rows

SOURCE = '''
"""Module."""
raise SystemExit("it was imported")

class Box(Base):
    """Hold things.

    A box has walls
    and a lid.
    """

    @property
    def lid(self) -> str:
        """The lid.

        It closes."""

    async def open(self, key: str = "x") -> None:
        """Open the box.

        Needs a key."""

    def shut(self):
        """One line only."""

def pack(*items):
    """Pack items
    into a box.

    Args: items."""
'''


def test_records_of_a_module(tmp_path: Path) -> None:
    path = tmp_path / "box.py"
    path.write_text(SOURCE)
    (tmp_path / "broken.py").write_text("def (")
    files = [("box", path), ("broken", tmp_path / "broken.py"), ("gone", tmp_path / "gone.py")]
    rows = {row["meta"]["name"]: row for row in records(Source("box", "1.0", "MIT", files))}
    assert {name: row["meta"]["kind"] for name, row in rows.items()} == {
        "box.Box": "class",
        "box.Box.lid": "property",
        "box.Box.open": "method",
        "box.pack": "function",
    }
    assert rows["box.Box"]["messages"][0]["content"] == "class Box(Base)\nA box has walls and a lid."
    assert json.loads(rows["box.pack"]["messages"][1]["content"]) == {
        "summary": "Pack items into a box.",
        "kind": "function",
        "package": "box",
    }
    assert rows["box.Box.open"]["messages"][0]["content"].startswith("async def open(self, key: str='x') -> None\n")
    assert rows["box.pack"]["meta"]["license"] == "MIT"


def test_the_corpus_can_be_imported_and_is_the_same_each_time(tmp_path: Path) -> None:
    loaded = set(sys.modules)
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    counts = make_corpus(one, packages=["python", "rich", "not-installed"], per_package=60)
    assert counts == {"python": 60, "rich": 60}
    make_corpus(two, packages=["python", "rich"], per_package=60)
    assert one.read_bytes() == two.read_bytes()
    rows = [row for _, row in read_rows(one)]
    assert len({row.id for row in rows}) == 120
    assert {row.meta["license"] for row in rows if row.label == "python"} == {"PSF-2.0"}
    assert all(row.group and row.reference["package"] == row.label for row in rows)
    assert not {name for name in set(sys.modules) - loaded if name.startswith(("idlelib", "antigravity"))}


def test_dependencies_are_those_of_the_product() -> None:
    found = dependencies()
    assert {"numpy", "sqlalchemy", "pydantic-core"} <= set(found)
    assert "mainspring" not in found
    named = {source.name: source.license for source in sources(["numpy", "pydantic"])}
    assert "BSD" in named["numpy"]
    assert named["pydantic"] == "MIT"


def test_licences_come_from_metadata() -> None:
    from importlib.metadata import distribution

    assert license_of(distribution("numpy").metadata)
