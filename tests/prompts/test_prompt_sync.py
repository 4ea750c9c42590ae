"""Sync with a folder: each side takes over what the other changed, and nothing is overwritten silently."""

import json

import pytest

from mainspring.kernel.errors import Invalid
from mainspring.prompts import Prompts, files
from mainspring.prompts.sync import STATE, sync


class Server:
    """The operations by the names that a client gives them."""

    def __init__(self, prompts):
        self._prompts = prompts
        self.list = prompts.list_

    def __getattr__(self, name):
        return getattr(self._prompts, name)


@pytest.fixture
def prompts(platform):
    return Prompts(platform)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "prompts"
    made.mkdir()
    return made


@pytest.fixture
def bring(prompts, folder):
    def run(**how):
        return {change.name: change.action for change in sync(Server(prompts), folder, **how)}

    return run


CHAT = """messages:
- role: system
  content: |-
    Be kind.
    Be brief.
- role: user
  content: '{{input}}'
parameters:
  max_tokens: 64
"""
BLURB = "---\nvariables:\n  tone:\n    default: dry\n---\nWrite in a {{tone}} voice.\n\nEnd.\n"


def test_files_and_versions_go_both_ways(prompts, folder, bring):
    (folder / "greet.yaml").write_text(CHAT)
    (folder / "blurb.md").write_text(BLURB)
    (folder / "README.md").write_text("Not a prompt.")
    prompts.commit("remote", text="From the server: {{x}}")
    assert bring(check=True) == {"blurb": "push", "greet": "push", "remote": "pull"}
    assert [item.name for item in prompts.list_().items] == ["remote"]
    assert not (folder / "remote.yaml").exists()
    assert bring() == {"blurb": "push", "greet": "push", "remote": "pull"}
    assert prompts.get("greet").parameters.max_tokens == 64
    assert prompts.render("blurb").text == "Write in a dry voice.\n\nEnd."
    assert "From the server" in (folder / "remote.yaml").read_text()
    assert set(bring(check=True).values()) == {"same"}
    prompts.commit("remote", text="Changed: {{x}}")
    (folder / "greet.yaml").write_text(CHAT.replace("brief", "exact"))
    assert bring() == {"blurb": "same", "greet": "push", "remote": "pull"}
    assert "Changed" in (folder / "remote.yaml").read_text()
    assert prompts.get("greet").number == 2


def test_a_conflict_is_named_and_nothing_is_overwritten(prompts, folder, bring):
    (folder / "greet.md").write_text("One\n")
    bring()
    prompts.commit("greet", text="Two")
    (folder / "greet.md").write_text("Three\n")
    assert bring() == {"greet": "conflict"}
    assert (folder / "greet.md").read_text() == "Three\n"
    assert prompts.get("greet").number == 2
    assert bring(prefer="server") == {"greet": "pull"}
    assert files.read("greet.md", (folder / "greet.md").read_text()) == {"text": "Two"}
    prompts.commit("greet", text="Four")
    (folder / "greet.md").write_text("Five\n")
    assert bring(prefer="local") == {"greet": "push"}
    assert prompts.render("greet").text == "Five"


def test_without_a_history_different_content_is_a_conflict(prompts, folder, bring):
    prompts.commit("greet", text="One")
    prompts.commit("greet", text="Two")
    (folder / "greet.md").write_text("Other\n")
    assert bring() == {"greet": "conflict"}
    (folder / "greet.md").write_text("One\n")
    assert bring() == {"greet": "pull"}


def test_going_back_to_older_content_is_kept(prompts, folder, bring):
    (folder / "greet.md").write_text("One\n")
    bring()
    (folder / "greet.md").write_text("Two\n")
    bring()
    (folder / "greet.md").write_text("One\n")
    assert bring() == {"greet": "push"}
    assert bring() == {"greet": "same"}
    assert (folder / "greet.md").read_text() == "One\n"


def test_a_removed_file_is_not_written_again(prompts, folder, bring):
    (folder / "greet.md").write_text("One\n")
    bring()
    (folder / "greet.md").unlink()
    assert bring() == {"greet": "removed"}
    assert not (folder / "greet.md").exists()
    assert prompts.get("greet").number == 1


def test_a_bad_file_is_named_and_the_others_go_on(prompts, folder, bring):
    (folder / "bad.yaml").write_text("messages: [")
    (folder / "odd.yaml").write_text("mesages: []")
    (folder / "binary.md").write_bytes(b"\xff\xfe")
    (folder / "good.md").write_text("Good\n")
    changes = {change.name: change for change in sync(Server(prompts), folder)}
    assert {name: change.action for name, change in changes.items()} == {
        "bad": "invalid", "odd": "invalid", "binary": "invalid", "good": "push",
    }  # fmt: skip
    assert "bad.yaml is not valid YAML" in changes["bad"].detail
    assert "unknown part 'mesages'" in changes["odd"].detail
    (folder / "good.yaml").write_text("text: x")
    with pytest.raises(Invalid, match=r"good\.md and good\.yaml"):
        sync(Server(prompts), folder)
    (folder / "good.yaml").unlink()
    (folder / STATE).write_text("[]")
    with pytest.raises(Invalid, match="cannot be read"):
        sync(Server(prompts), folder)


@pytest.mark.parametrize("suffix", ["yaml", "md"])
def test_every_part_survives_a_file(prompts, suffix):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {}}}}}
    made = prompts.commit(
        "whole",
        [
            {"role": "system", "content": "a: b\n\n- c  \n# d"},
            {"role": "user", "content": "{{x}} {% if y %}ü{% endif %}"},
        ],
        variables={"x": {"type": "number", "default": 0.5, "description": "d"}, "y": {"required": False}},
        schema={"type": "object"},
        tools=[tool],
        parameters={"stop": ["\n"], "top_p": 0.1},
    )
    parts = files.read(f"whole.{suffix}", files.write(f"whole.{suffix}", made))
    assert prompts.check("whole", **parts).sha256 == made.sha256
    json.dumps(parts)


def test_a_chat_that_markdown_cannot_hold_is_refused(prompts):
    made = prompts.commit("odd", [{"role": "user", "content": "x\n## user\ny"}])
    with pytest.raises(Invalid, match=r"odd\.md cannot hold"):
        files.write("odd.md", made)
