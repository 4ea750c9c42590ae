"""The UI's sources: types against the API, the logic, sizes, and what may not be in them."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from browser_site import ROOT, Sources, build_hook

from mainspring.kernel.operation import operations
from mainspring.surfaces.nouns import NOUNS

pytestmark = pytest.mark.slow


def test_the_pages_fit_the_api(sources: Sources) -> None:
    sources.run("typescript/bin/tsc", "--noEmit")


def test_the_logic_holds(sources: Sources) -> None:
    assert "passed" in sources.run("vitest/vitest.mjs", "run")


def size(built: Path, names: set[str]) -> int:
    return sum(len(gzip.compress((built / name).read_bytes())) for name in names)


def reachable(manifest: dict[str, dict[str, list[str]]], key: str) -> set[str]:
    """Return every script that loading an entry loads with it."""
    found, waiting = set(), [key]
    while waiting:
        entry = manifest[waiting.pop()]
        if str(entry["file"]) not in found:
            found.add(str(entry["file"]))
            waiting += entry.get("imports", [])
    return found


def test_what_is_loaded_stays_small(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())
    entry = reachable(manifest, "index.html")
    assert size(built, entry) <= 170_000
    pages = {key for key, value in manifest.items() if value.get("isDynamicEntry")}
    assert len(pages) > 10
    sizes = {page: size(built, entry | reachable(manifest, page)) for page in pages}
    assert max(sizes.values()) <= 250_000, sizes


def test_nothing_is_fetched_from_elsewhere_and_nothing_stands_in_the_page(built: Path) -> None:
    page = (built / "index.html").read_text()
    assert not re.findall(r"<style|<script(?![^>]*src=)|\bon\w+=|style=", page)
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page)
    for style in built.glob("assets/*.css"):
        assert not re.findall(r"url\((?!/assets/|\./|\"?\.)[^)]*\)|@import", style.read_text())


def test_the_licences_of_what_is_compiled_in_come_along(built: Path) -> None:
    text = (built / "third-party-licenses.md").read_text()
    assert "react" in text and "MIT" in text


def test_the_lock_names_no_address_to_fetch_from() -> None:
    lock = json.loads((ROOT / "ui" / "package-lock.json").read_text())
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    assert all("integrity" in package for name, package in lock["packages"].items() if name)


def test_the_commands_that_pages_show_are_commands() -> None:
    known = {f"{noun.name} {spec.verb}".replace("_", "-"): spec for noun in NOUNS for spec in operations(noun.load())}
    shown = set()
    for source in (ROOT / "ui" / "src").rglob("*.tsx"):
        text = source.read_text().replace("\\n", "\n")
        shown |= set(re.findall(r"mainspring ([a-z]+ [a-z-]+)([^\n`\"]*)", text))
    wrong = []
    for command, rest in sorted(shown):
        options = {name.replace("-", "_") for name in re.findall(r"--([a-z-]+)", rest)}
        taken = set(known[command].signature.parameters) if command in known else set()
        if command not in known or not options <= taken | {f"no_{name}" for name in taken}:
            wrong.append(f"mainspring {command}{rest}")
    assert len(shown) > 12
    assert wrong == []


def test_the_stamp_tells_whether_the_compiled_ui_is_current(tmp_path: Path) -> None:
    hook = build_hook()
    (tmp_path / "ui" / "src").mkdir(parents=True)
    source = tmp_path / "ui" / "src" / "main.tsx"
    source.write_text("one")
    assert not hook.is_current(tmp_path)
    stamp = tmp_path / hook.STATIC / ".stamp"
    stamp.parent.mkdir(parents=True)
    stamp.write_text(hook.source_hash(tmp_path))
    (tmp_path / "ui" / "node_modules").mkdir()
    (tmp_path / "ui" / "node_modules" / "x.js").write_text("not a source")
    assert hook.is_current(tmp_path)
    source.write_text("two")
    assert not hook.is_current(tmp_path)
