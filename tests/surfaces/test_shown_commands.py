"""Every command that a page, a document or a hint shows is one that the command line takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mainspring.surfaces.cli import TOP, load_command
from mainspring.surfaces.nouns import NOUNS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCES = sorted((ROOT / "ui" / "src").rglob("*.ts*"))
FENCE = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SNIPPET = re.compile(
    r"""(?:code=\{?|const [A-Z]+ = )(?P<quote>[`"'])(?P<code>(?:\\.|(?!(?P=quote)).)*)(?P=quote)""", re.DOTALL
)
MENTION = re.compile(r"`mainspring ([a-z]+)(?: ([a-z][a-z-]*))?")
NOUN_NAMES = {noun.name for noun in NOUNS}


def commands(text: str) -> Iterator[list[str]]:
    """The words after `mainspring` of each command in some lines of shell; what is not one is passed over."""
    held = ""
    for line in text.splitlines():
        held = f"{held}\n{line}" if held else line.strip()
        whole = held.replace("\\\n", " ")
        if not re.match(r"(\.venv/bin/)?mainspring ", whole):
            held = ""
            continue
        try:
            words = shlex.split(whole, comments=True)
        except ValueError:
            continue  # a quote is open: its end stands on the next line
        if held.endswith("\\"):
            continue
        held = ""
        stop = next((at for at, word in enumerate(words) if word in ("|", "||", "&&", ">")), len(words))
        yield words[1:stop]


def shown() -> Iterator[tuple[str, list[str]]]:
    """Where a command stands, and its words."""
    for page in PAGES:
        for block in FENCE.findall(page.read_text()):
            for words in commands(block):
                yield str(page.relative_to(ROOT)), words
    for source in SOURCES:
        for found in SNIPPET.finditer(source.read_text()):
            code = found["code"].replace("\\n", "\n").replace("\\`", "`").replace("\\\\", "\\")
            for words in commands(re.sub(r"\$\{[^}]*\}", "some", code)):
                yield str(source.relative_to(ROOT)), words


def test_every_command_that_is_shown_is_understood() -> None:
    wrong, seen = [], 0
    for place, words in shown():
        seen += 1
        # Options of all commands stand before it, with their values.
        begins = next(at for at in range(0, len(words), 2) if not words[at].startswith("--"))
        if said := _refused(*words[begins:]):
            wrong.append(f"{place}: mainspring {' '.join(words)}: {said}")
    assert seen > 100
    assert wrong == []


def test_every_command_that_a_sentence_names_is_there() -> None:
    files = [*PAGES, *SOURCES, *(ROOT / "src").rglob("*.py")]
    verbs = {noun: set(_loaded(noun).commands) for noun in NOUN_NAMES}
    wrong = [
        f"{file.relative_to(ROOT)}: mainspring {noun} {verb}"
        for file in files
        for noun, verb in MENTION.findall(file.read_text())
        if (noun not in TOP and noun not in NOUN_NAMES) or (noun in NOUN_NAMES and verb and verb not in verbs[noun])
    ]
    assert wrong == []


def _refused(name: str, *rest: str) -> str:
    """What the command line has against these words; nothing is run."""
    if name not in TOP and name not in NOUN_NAMES:
        return f"there is no {name}"
    command: Any = _loaded(name)
    words = list(rest)
    try:
        if name in NOUN_NAMES:
            command, words = command.commands[words[0]], words[1:]
        command.make_context(name, words)
    except Exception as error:
        return f"{type(error).__name__} {error}"
    return ""


_loaded = cache(load_command)
