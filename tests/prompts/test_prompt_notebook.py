"""What a notebook shows of prompts: everything that matters, and nothing that would run."""

from html.parser import HTMLParser

import pytest

from mainspring.prompts import Prompts

HOSTILE = "<script>alert('{{name}}')</script>"


class Text(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.text = set(), ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"style"}

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def prompts(platform):
    made = Prompts(platform)
    made.commit("greet", [{"role": "user", "content": HOSTILE}], parameters={"max_tokens": 40}, note="<b>first</b>")
    made.commit("greet", [{"role": "system", "content": "Be kind."}, {"role": "user", "content": HOSTILE}])
    made.label("greet", "live", "1")
    return made


def test_a_version_shows_its_messages_labels_and_parameters_as_text(prompts):
    shown = Text(prompts.get("greet", selector="1")._repr_html_())
    assert shown.tags <= {"p", "b", "table", "tbody", "tr", "th", "td"}
    for said in ("prompt/greet@1", "label live", "<b>first</b>", "user", HOSTILE, "name: text", "max_tokens 40"):
        assert said in shown.text


def test_a_diff_shows_the_lines_that_changed_as_text(prompts):
    shown = Text(prompts.diff("greet", "1", "2")._repr_html_())
    assert shown.tags <= {"p", "b", "pre", "span"}
    lines = shown.text.split("\n")
    assert {"+Be kind.", "+[system]", f" {HOSTILE}"} <= {line.replace("→", "") for line in lines}
    same = Text(prompts.diff("greet", "2", "2")._repr_html_())
    assert "the same content" in same.text
    assert "pre" not in same.tags
