"""What `--help` says: of every argument what it is, within which bounds, and what holds without it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import typer
from click.testing import CliRunner

from mainspring.kernel.errors import Invalid
from mainspring.kernel.operation import operations
from mainspring.surfaces.cli import app, load_command
from mainspring.surfaces.commands import operations as commands
from mainspring.surfaces.commands.words import ELSEWHERE, WORDS
from mainspring.surfaces.nouns import NOUNS


def parameters() -> list[tuple[str, str, str]]:
    """Noun, verb and name of every parameter of every operation."""
    return [
        (noun.name, spec.verb, name)
        for noun in NOUNS
        for spec in operations(noun.load())
        for name in spec.signature.parameters
    ]


def shown(noun: str, verb: str) -> str:
    """The help of a command in one line."""
    done = CliRunner().invoke(load_command(noun), [verb, "--help"], terminal_width=400, color=False)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.replace("│", " ").split())


def test_every_argument_and_option_says_what_it_is() -> None:
    silent = [
        f"{noun.name} {verb} {one.name}"
        for noun in NOUNS
        for verb, command in load_command(noun.name).commands.items()
        for one in command.params
        if not getattr(one, "help", "")
    ]
    assert silent == []


def test_no_words_are_left_of_what_is_gone() -> None:
    known = parameters()
    names = {name for _, _, name in known}
    places = {f"{noun}.{name}" for noun, _, name in known} | {".".join(place) for place in known}
    assert sorted(set(WORDS) - names) == []
    assert sorted(set(ELSEWHERE) - places) == []


@pytest.mark.parametrize(
    ("noun", "verb", "words"),
    [
        ("loadtest", "run", "How long each level lasts. From 1 to 3,600. Default: 30."),
        ("canary", "start", "A loss of less than this is accepted."),
        ("canary", "start", "One of: request, user, session. Default: user."),
        ("deployment", "roll", "Share of the traffic."),
        ("trace", "list", "From this moment on. A moment, such as 2026-11-23T14:00:00Z."),
        ("monitor", "create", "How far back it looks."),
    ],
)
def test_bounds_and_what_holds_without_it_are_told(noun: str, verb: str, words: str) -> None:
    assert words in shown(noun, verb)


def test_where_to_work_may_be_said_before_a_command_or_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(commands, "connect", lambda settings: asked.append(settings) or nullcontext())
    monkeypatch.setattr(commands, "call", lambda client, spec, path, arguments: arguments)
    words = ["list", "--environment", "staging", "--project", "lab"]
    done = CliRunner().invoke(load_command("loadtest"), words, obj={"environment": "production"})
    assert done.exit_code == 0, done.output
    assert asked == [{"environment": "staging", "project": "lab"}]
    # Of its own environment an operation is told as an argument.
    done = CliRunner().invoke(load_command("canary"), ["get", "docs", "--environment", "staging", "--json"])
    assert '"environment": "staging"' in done.output


def test_a_value_that_is_wrong_is_told_with_what_it_means() -> None:
    words = ["run", "--deployment", "docs", "--slo", "ttft"]
    done = CliRunner().invoke(load_command("loadtest"), words)
    assert isinstance(done.exception, Invalid)
    assert done.exception.message == "slo is not valid: it has another form"
    assert "ttft=500,itl=50,e2e=5000" in done.exception.hint
    words = ["create", "docs", "--model", "base", "--parameters", '{"max_token": 1}']
    done = CliRunner().invoke(load_command("release"), words)
    assert isinstance(done.exception, Invalid)
    assert done.exception.message == "parameters is not valid: max_token: there is no such field"


@pytest.mark.parametrize("text", ["4", "1, 2, 4", "[1, 2, 4]"])
def test_numbers_may_stand_with_commas_between_them(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    sent: dict[str, Any] = {}
    monkeypatch.setattr(commands, "connect", lambda settings: nullcontext())
    monkeypatch.setattr(commands, "call", lambda client, spec, path, arguments: sent.update(arguments))
    words = ["run", "--deployment", "docs", "--concurrency", text, "--detach"]
    assert CliRunner().invoke(load_command("loadtest"), words).exit_code == 0
    assert sent["concurrency"][-1] == 4


def test_a_command_that_is_none_is_told_which_are_near() -> None:
    root = typer.main.get_command(app)
    for word, near in (("deploy", "deployment"), ("modle", "model"), ("traces", "trace")):
        done = CliRunner().invoke(root, [word, "list"])
        assert done.exit_code == 2
        assert f"No such command '{word}'. Did you mean '{near}'" in done.output
    assert "Did you mean" not in CliRunner().invoke(root, ["xyzzy"]).output


def test_help_is_free_of_what_only_concerns_programs() -> None:
    for noun in ("canary", "loadtest", "deployment"):
        for verb in load_command(noun).commands:
            assert "Raises" not in shown(noun, verb)
    assert "completion" not in CliRunner().invoke(load_command("trace"), ["--help"]).output
