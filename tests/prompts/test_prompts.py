"""Prompts: versions that never change, labels that move, templates that hold nothing but variables."""

import pytest

from mainspring.kernel.errors import Denied, Invalid, NotFound, TooLarge
from mainspring.prompts import Message, Prompts, converse

SYSTEM = {"role": "system", "content": "Answer as JSON."}
ASK = {"role": "user", "content": "Describe {{ input }} in {{language}}."}
SCHEMA = {"type": "object", "properties": {"summary": {"type": "string"}}}


@pytest.fixture
def prompts(platform):
    return Prompts(platform)


def test_a_version_is_stored_once(prompts):
    first = prompts.commit("greet", [SYSTEM, ASK], schema=SCHEMA, parameters={"max_tokens": 64}, note="first")
    again = prompts.commit("greet", [SYSTEM, ASK], schema=SCHEMA, parameters={"max_tokens": 64}, note="other words")
    assert (first.ref, first.existed) == ("prompt/greet@1", False)
    assert (again.ref, again.existed, again.note) == ("prompt/greet@1", True, "first")
    second = prompts.commit("greet", [ASK])
    assert second.ref == "prompt/greet@2"
    assert prompts.get("greet").ref == "prompt/greet@2"
    assert prompts.get("greet", selector="1").response_schema == SCHEMA
    assert [version.number for version in prompts.versions("greet").items] == [2, 1]
    assert list(first.variables) == ["input", "language"]
    assert first.parameters.max_tokens == 64


def test_render_fills_in_and_names_what_is_missing(prompts):
    prompts.commit("greet", [SYSTEM, ASK])
    shown = prompts.render("greet", {"input": "x", "language": "Dutch"})
    assert [message.content for message in shown.messages] == ["Answer as JSON.", "Describe x in Dutch."]
    with pytest.raises(Invalid, match="variable 'language' got no value"):
        prompts.render("greet", {"input": "x"})
    with pytest.raises(Invalid, match="variables 'input', 'language' got no value"):
        prompts.render("greet")
    with pytest.raises(Invalid, match="greet@1 has no variable 'langauge'") as caught:
        prompts.render("greet", {"input": "x", "language": "Dutch", "langauge": "French"})
    assert caught.value.hint == "It has input, language."


def test_what_is_filled_in_is_not_read_again(prompts):
    prompts.commit("greet", [{"role": "user", "content": "{{a}}{{b}} \\{{a}}"}])
    shown = prompts.render("greet", {"a": "{{b}}", "b": "{{a.__class__}}"})
    assert shown.messages[0].content == "{{b}}{{a.__class__}} {{a}}"


@pytest.mark.parametrize(
    "content", ["{{ a.b }}", "{{ a | upper }}", "{{ a() }}", "{{ 1 }}", "{{ a", "{{}}", "{{a}}{{b-c}}"]
)
def test_a_template_holds_no_expression(prompts, content):
    with pytest.raises(Invalid, match="Message 0 has a malformed variable"):
        prompts.commit("greet", [{"role": "user", "content": content}])


def test_single_braces_are_plain_text(prompts):
    text = 'Answer {"summary": {"text": "…"}} and {% nothing %}'
    prompts.commit("plain", [{"role": "user", "content": text}])
    assert prompts.render("plain").messages[0].content == text


def test_variables_have_types_and_defaults(prompts):
    ask = {"role": "user", "content": "{{count}} {{strict}} {{data}} {{tone}} {{share}}"}
    variables = {
        "count": {"type": "integer"},
        "strict": {"type": "boolean", "default": True},
        "data": {"type": "json"},
        "share": {"type": "number"},
        "tone": {"default": "dry"},
    }
    prompts.commit("typed", [ask], variables=variables)
    shown = prompts.render("typed", {"count": 3, "data": {"a": ["ü"]}, "share": 0.5})
    assert shown.messages[0].content == '3 true {"a": ["ü"]} dry 0.5'
    with pytest.raises(Invalid, match="'count' takes integer, not str"):
        prompts.render("typed", {"count": "3", "data": 1, "share": 1})
    with pytest.raises(Invalid, match="'count' takes integer, not bool"):
        prompts.render("typed", {"count": True, "data": 1, "share": 1})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "robot", "content": ""}]}, "messages.0.role"),
        ({"messages": [ASK], "variables": {"other": {}}}, "No message uses the variable 'other'"),
        ({"messages": [ASK], "variables": {"input": {"type": "integer", "default": "x"}}}, "'input' takes integer"),
        ({"messages": [ASK], "schema": {"type": "nonsense"}}, "response schema is not valid at type"),
        ({"messages": [ASK], "parameters": {"temperature": 9}}, "parameters.temperature"),
        ({"messages": [ASK], "parameters": {"top_secret": 9}}, "parameters.top_secret"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(prompts, arguments, message):
    with pytest.raises(Invalid, match=message):
        prompts.commit("greet", **arguments)
    with pytest.raises(NotFound):
        prompts.get("greet")


def test_size_is_bounded(prompts):
    with pytest.raises(TooLarge):
        prompts.commit("many", [{"role": "user", "content": "x"}] * 201)
    prompts.commit("wide", [{"role": "user", "content": "{{a}}" * 50}])
    with pytest.raises(TooLarge, match="1000000 characters"):
        prompts.render("wide", {"a": "x" * 30_000})


def test_labels_move_and_remember(prompts, clock):
    prompts.commit("greet", [ASK])
    prompts.commit("greet", [SYSTEM, ASK])
    prompts.label("greet", "production", "1", note="launch")
    prompts.label("greet", "staging")
    prompts.label("greet", "production", "staging")
    assert prompts.get("greet", selector="production").number == 2
    assert prompts.get("greet").labels == ["production", "staging"]
    moves = prompts.history("greet", label="production").items
    assert [(move.number, move.note, move.moved_by) for move in moves] == [(2, "", "ann"), (1, "launch", "ann")]
    assert len(prompts.history("greet").items) == 3
    listed = prompts.list_().items
    assert [(item.name, item.latest, item.labels) for item in listed] == [("greet", 2, {"production": 2, "staging": 2})]
    with pytest.raises(NotFound):
        prompts.label("greet", "production", "7")
    with pytest.raises(Invalid):
        prompts.label("greet", "latest", "1")


def test_diff_shows_lines(prompts):
    prompts.commit("greet", [ASK])
    prompts.commit("greet", [SYSTEM, ASK], schema=SCHEMA)
    shown = prompts.diff("greet", "1", "2")
    assert "+Answer as JSON." in shown.lines
    assert (shown.left, shown.right, shown.identical) == ("prompt/greet@1", "prompt/greet@2", False)
    same = prompts.diff("greet", "2")
    assert same.identical
    assert same.lines == []


def test_a_viewer_reads_and_does_not_write(prompts, acting):
    prompts.commit("greet", [ASK])
    with acting(role="viewer", member="bob"):
        assert prompts.get("greet").number == 1
        with pytest.raises(Denied):
            prompts.commit("greet", [SYSTEM])
        with pytest.raises(Denied):
            prompts.label("greet", "production", "1")


def turns(*texts):
    return [Message(role="assistant" if place % 2 else "user", content=text) for place, text in enumerate(texts)]


def test_a_conversation_goes_into_the_prompt(prompts):
    example = [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": "2"}]
    version = prompts.commit("sum", [SYSTEM, *example, {"role": "user", "content": "Add: {{input}}"}])
    found = converse(version, turns("first", "answer", "3+4"), {})
    assert [message.content for message in found] == [SYSTEM["content"], "1+1", "2", "first", "answer", "Add: 3+4"]


def test_the_only_variable_without_a_value_takes_the_question(prompts):
    version = prompts.commit("sum", [{"role": "user", "content": "{{question}} in {{language}}"}])
    assert converse(version, turns("why"), {"language": "Dutch"})[-1].content == "why in Dutch"
    with pytest.raises(Invalid, match="'question', 'language' got no value"):
        converse(version, turns("why"), {})


def test_a_prompt_without_variables_goes_before(prompts):
    version = prompts.commit("plain", [SYSTEM])
    assert [message.content for message in converse(version, turns("hello"), {})] == [SYSTEM["content"], "hello"]


def test_a_conversation_brings_no_system_message_and_ends_with_a_question(prompts):
    version = prompts.commit("sum", [{"role": "user", "content": "{{input}}"}])
    with pytest.raises(Invalid, match="own system message"):
        converse(version, [Message(role="system", content="obey"), *turns("x")], {})
    with pytest.raises(Invalid, match="last message must be the user's"):
        converse(version, turns("x", "y"), {})
