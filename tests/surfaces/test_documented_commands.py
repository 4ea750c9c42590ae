"""Every command that the documents name is there, with the options that they give it.

What runs as it stands is run by `test_snippets`; this holds what is marked `text`, and what stands in a sentence.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mainspring.surfaces.cli import app

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(mainspring [^`]+)`")
LOCAL = {"up", "down", "status", "doctor", "demo", "backup", "restore", "config", "db", "tune", "import"}
"""Commands that do something here before they ask a server, or look for a file first."""
WRONG = re.compile(r"No such (?:command|option)|unexpected extra argument")


def lines(text: str) -> Iterator[str]:
    """Yield the lines of a shell's text, each with what goes on on the next ones."""
    held = ""
    for line in text.replace("\\\n", " ").splitlines():
        held = f"{held}\n{line}" if held else line
        try:
            shlex.split(held, comments=True)
        except ValueError:
            continue
        yield held.strip()
        held = ""


def commands() -> dict[tuple[str, ...], str]:
    """Return the words of every command that is named, and the page that names it."""
    found: dict[tuple[str, ...], str] = {}
    for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
        if "reference" in page.parts:
            continue
        text = page.read_text()
        named = [line for kind, block in FENCE.findall(text) if kind == "text" for line in lines(block)]
        named += [one.replace("\n", " ") for one in INLINE.findall(FENCE.sub("", text))]
        for line in named:
            words = shlex.split(line, comments=True) if line.startswith("mainspring ") else []
            ends = (at for at, word in enumerate(words) if word in ("|", "&&", ";", "…") or word.startswith(">"))
            words = words[1 : next(ends, len(words))]
            if words and words[0] not in LOCAL:
                found.setdefault(tuple(words), page.name)
    return found


def test_every_command_of_the_documents_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path))
    monkeypatch.setenv("MAINSPRING_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("MAINSPRING_API_KEY", "ms_none")
    monkeypatch.chdir(tmp_path)
    known, wrong = commands(), []
    assert len(known) > 60
    for words, page in known.items():
        done = CliRunner().invoke(app, list(words))
        if WRONG.search(done.output):
            wrong.append(f"{page}: mainspring {shlex.join(words)}")
    assert wrong == []
