"""The documents: links lead somewhere, changelog fragments are valid, generated pages are current."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
KINDS = {"added", "changed", "deprecated", "removed", "fixed", "security"}


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub forms them."""
    headings = re.findall(r"^#{1,6}\s+(.+?)\s*$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower().replace("`", "")).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        where = (page.parent / file).resolve() if file else page
        if not where.exists() or (anchor and where.suffix == ".md" and anchor not in anchors(where)):
            broken.append(target)
    assert broken == []


def test_every_page_of_the_docs_is_listed() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    missing = [
        str(page.relative_to(ROOT / "docs"))
        for page in PAGES
        if page.is_relative_to(ROOT / "docs")
        and page.name != "README.md"
        and str(page.relative_to(ROOT / "docs")) not in index
    ]
    assert missing == []


def test_every_page_of_the_web_interface_is_told_of() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / "how-to" / "web.md").read_text(), re.MULTILINE)
    told = {name.strip() for row in rows for name in row.split(",")}
    places = re.findall(r'label: "([^"]+)"', (ROOT / "ui" / "src" / "shell" / "places.ts").read_text())
    assert places
    assert [name for name in places if name not in told] == []


def test_changelog_fragments_are_named_by_kind_and_say_something() -> None:
    wrong = []
    for path in (ROOT / "changelog.d").iterdir():
        if path.name in {"README.md", ".gitignore", "template.md.jinja"}:
            continue
        parts = path.name.split(".")
        text = path.read_text().strip()
        if len(parts) < 3 or parts[-1] != "md" or parts[1] not in KINDS or not text.endswith("."):
            wrong.append(path.name)
    assert wrong == []


def test_the_changelog_can_be_drafted() -> None:
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "0.0.0", "--date", "2026-01-01"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "0.0.0" in done.stdout


def test_every_target_of_the_makefile_that_the_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"`make ([a-z-]+)", page.read_text())}
    named |= {name for page in PAGES for name in re.findall(r"^make ([a-z-]+)", page.read_text(), re.MULTILINE)}
    assert named <= targets


def test_the_generated_pages_are_those_of_the_code() -> None:
    command = [sys.executable, "scripts/reference.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
