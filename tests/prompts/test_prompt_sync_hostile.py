"""Sync between a folder and a server of which either may be hostile."""

import pytest
from tests.prompts.test_prompt_sync import Server

from mainspring.kernel.errors import Invalid
from mainspring.prompts import Prompts, files
from mainspring.prompts.sync import sync


@pytest.fixture
def server(platform):
    return Server(Prompts(platform))


def test_links_in_the_folder_are_neither_read_nor_written_through(platform, server, tmp_path):
    folder, outside, victim = tmp_path / "prompts", tmp_path / "outside", tmp_path / "victim"
    folder.mkdir()
    outside.write_text("TOP SECRET")
    victim.write_text("precious")
    (folder / "leak.md").symlink_to(outside)
    (folder / "gone.yaml").symlink_to(tmp_path / "nowhere")
    (folder / ".over.yaml.part").symlink_to(victim)
    Prompts(platform).commit("over", text="attack")
    done = {change.name: (change.action, change.detail) for change in sync(server, folder)}
    assert done["leak"] == ("invalid", "leak.md is a link.")
    assert done["gone"][0] == "invalid"
    assert done["over"][0] == "pull"
    assert [item.name for item in server.list().items] == ["over"]
    assert victim.read_text() == "precious"
    assert files.read("over.yaml", (folder / "over.yaml").read_text()) == {"text": "attack"}


@pytest.mark.parametrize("absolute", [False, True])
def test_a_server_cannot_name_a_file_outside_the_folder(platform, server, tmp_path, absolute):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    made = Prompts(platform).commit("over", text="attack")
    page = server.list()
    name = str(tmp_path / "evil") if absolute else "../../evil"

    class Evil:
        def list(self, **_):
            return page.model_copy(update={"items": [page.items[0].model_copy(update={"name": name})]})

        def get(self, *_, **__):
            return made

    with pytest.raises(Invalid, match="not a valid name"):
        sync(Evil(), folder)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and "evil" in path.name] == []


@pytest.mark.parametrize(
    "text",
    [
        "text: hi\nschema: &a\n  b: *a\n",
        "text: hi\nschema:\n  x: &a [lol]\n  y: [*a, *a]\n",
        "text: '{{x}}'\nvariables: {x: {type: json, default: 2024-99-99}}\n",
        "text: '{{x}}'\nvariables: {x: {type: json, default: 2024-01-01}}\n",
        "text: '{{x}}'\nvariables: {x: {type: json, default: 1" + "0" * 5000 + "}}\n",
        "text: '{{x}}'\nvariables: {x: {type: json, default: .nan}}\n",
        "schema: " + "[" * 3000 + "]" * 3000 + "\n",
    ],
    ids=["endless", "alias", "no date", "date", "digits", "nan", "deep"],
)
def test_yaml_that_stands_for_more_than_json_is_named(server, tmp_path, text):
    (tmp_path / "odd.yaml").write_text(text)
    [change] = sync(server, tmp_path, check=True)
    assert (change.name, change.action) == ("odd", "invalid")
    assert "odd.yaml" in change.detail


def test_parts_that_are_the_same_are_written_without_aliases(platform):
    kind = {"type": "string"}
    made = Prompts(platform).commit("twice", text="x", schema={"type": "object", "properties": {"a": kind, "b": kind}})
    twin = made.model_copy(update={"response_schema": {"a": kind, "b": kind}})
    assert files.read("twice.yaml", files.write("twice.yaml", twin))["schema"] == {"a": kind, "b": kind}
