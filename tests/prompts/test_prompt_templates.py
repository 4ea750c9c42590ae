"""Templates: blocks, includes, tools and text prompts; and that a template reaches nothing but its values."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid, TooLarge
from mainspring.prompts import Prompts, grammar
from mainspring.prompts.models import Message, Variable
from mainspring.prompts.template import fill

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def prompts(platform):
    return Prompts(platform)


def shown(prompts, content, values, variables=None):
    return prompts.preview([{"role": "user", "content": content}], values, variables=variables).messages[0].content


def test_conditions_choose_a_branch(prompts):
    text = '{% if tone == "dry" and not loud %}A{% elif n != 3 or loud %}B{% else %}C{% endif %}'
    types = {"n": {"type": "integer"}, "loud": {"type": "boolean"}}
    found = [
        shown(prompts, text, {"tone": tone, "loud": loud, "n": n}, types)
        for tone, loud, n in [("dry", False, 3), ("dry", True, 3), ("warm", False, 4), ("warm", False, 3)]
    ]
    assert found == ["A", "B", "B", "C"]


def test_a_loop_repeats_its_body_and_its_line_is_left_out(prompts):
    line = '{{loop["index"]}}. {{page["title"]}}{% if page["old"] %} (old){% endif %}'
    text = f"Pages:\n{{% for page in pages %}}\n{line}\n{{% endfor %}}\nEnd"
    pages = [{"title": "One"}, {"title": "Two", "old": True}]
    assert shown(prompts, text, {"pages": pages}) == "Pages:\n1. One\n2. Two (old)\nEnd"
    with pytest.raises(Invalid, match="'pages' takes list, not str"):
        shown(prompts, text, {"pages": "One"})
    with pytest.raises(Invalid, match=r'no \'page\["title"\]\''):
        shown(prompts, text, {"pages": [{}]})


def test_an_optional_variable_may_be_left_out(prompts):
    text = "{% if hint %}Hint: {{hint}}{% else %}No hint{% endif %}|{{hint}}"
    assert shown(prompts, text, {}, {"hint": {"required": False}}) == "No hint|"
    assert shown(prompts, text, {"hint": "x"}, {"hint": {"required": False}}) == "Hint: x|x"
    with pytest.raises(Invalid, match="'hint' got no value"):
        shown(prompts, text, {})


def test_what_is_filled_in_is_no_template(prompts):
    evil = '{% for a in b %}{{c}}{% endfor %}{{x}}{% include "prompt/other" %}'
    assert shown(prompts, "{% if x %}{{x}}{% endif %}", {"x": evil}) == evil


@pytest.mark.parametrize(
    "content",
    [
        "{{ ''.__class__ }}",
        "{{ a.__class__.__mro__ }}",
        '{{ a["__class__"].x }}',
        "{{ a|attr('x') }}",
        "{{ a ** 9 }}",
        "{{ range(9) }}",
        "{{ 'x' * 9 }}",
        "{% set a = 1 %}{% if a %}{% endif %}",
        "{% for i in range(10000000) %}{% endfor %}",
        "{% for i in 'abc' %}{% endfor %}",
        "{% if a.b %}{% endif %}",
        "{% if a() %}{% endif %}",
        "{% if a > 1 %}{% endif %}",
        "{% if %}{% endif %}",
        "{% if a %}",
        "{% endif %}{% if a %}{% endif %}",
        "{% if a %}{% else %}{% else %}{% endif %}",
        "{% for a in b %}{% endif %}",
        "{% if a %}{% macro x() %}{% endif %}",
        "{% import 'os' %}{% if a %}{% endif %}",
        "{% if a %}{{ loop }}{% endif %}",
        "{% if a %}{% endif %}{% unknown",
    ],
)
def test_a_template_has_no_way_out(prompts, content):
    with pytest.raises(Invalid):
        prompts.commit("evil", [{"role": "user", "content": content}])


def test_a_key_reaches_what_was_given_and_no_attribute(prompts):
    with pytest.raises(Invalid, match="no 'a"):
        shown(prompts, '{{ a["__class__"] }}', {"a": {}})
    with pytest.raises(Invalid, match="no 'a"):
        shown(prompts, '{{ a["keys"] }}', {"a": {"x": 1}})
    assert shown(prompts, '{{ a["keys"][1] }}', {"a": {"keys": [1, "two"]}}) == "two"


def test_loops_end_early_when_they_are_too_long(prompts):
    nested = "{% for a in x %}{% for b in x %}{% for c in x %}{% endfor %}{% endfor %}{% endfor %}"
    began = time.process_time()
    with pytest.raises(TooLarge, match=r"steps|seconds"):
        shown(prompts, nested, {"x": list(range(3000))})
    with pytest.raises(TooLarge, match="1000000 characters"):
        shown(prompts, "{% for a in x %}{{y}}{% endfor %}", {"x": list(range(3000)), "y": "y" * 10_000})
    assert time.process_time() - began < 10
    deep = "{% if a %}" * 9 + "{% endif %}" * 9
    with pytest.raises(TooLarge, match="8 deep"):
        prompts.commit("deep", [{"role": "user", "content": deep}])


@pytest.mark.parametrize(
    "piece", ["{%", "{% ", "{{", "{{ a[", "{{a", '{% if a == "', "\\{", "{% if" + " " * 400, "\n {"]
)
def test_reading_takes_time_in_proportion_to_the_text(piece):
    text = piece * (100_000 // len(piece))
    began = time.process_time()
    for blocks in (False, True):
        try:
            grammar.parse(text, blocks)
        except Invalid:
            continue
    grammar.has_blocks(text)
    assert time.process_time() - began < 5


@given(st.text(alphabet="{}%\\ \n\"'[]abif endforinclude=!0", max_size=60))
def test_any_text_is_read_or_refused_and_plain_text_stays(text):
    try:
        nodes = grammar.parse(text, False)
    except Invalid:
        return
    holes = {path.name: "v" for _, path in grammar.walk(nodes)}
    if "[" in text or holes:
        return
    message = Message(role="user", content=text)
    assert fill([message], {}, {})[0].content == text.replace("\\{{", "{{")


def test_a_template_from_before_blocks_stays_plain(platform, prompts):
    text = "Explain {% if x %} and \\{% and {{a}}"
    content = {
        "messages": [{"role": "user", "content": text}],
        "variables": {"a": {"type": "text", "default": None, "description": ""}},
        "schema": None,
        "parameters": {"temperature": None, "max_tokens": None, "seed": None, "stop": []},
    }
    with platform.begin() as tx:
        versions.commit(tx, "prompt", "old", content)
    assert prompts.render("old", {"a": "1"}).messages[0].content == "Explain {% if x %} and \\{% and 1"
    plain = prompts.commit("old", [{"role": "user", "content": "{{a}}"}])
    with platform.read() as tx:
        held = versions.resolve(tx, plain.ref, "prompt").content
    assert set(held) == set(content), "what says nothing is not stored, so that hashes stay"
    assert set(held["variables"]["a"]) == set(content["variables"]["a"])


def test_a_text_prompt_is_one_text(prompts):
    made = prompts.commit("blurb", text="Say {{x}}.")
    assert (made.kind, prompts.render("blurb", {"x": "hi"}).text) == ("text", "Say hi.")
    with pytest.raises(Invalid, match="not both"):
        prompts.commit("blurb", [{"role": "user", "content": "x"}], text="y")


def test_tools_are_kept_and_checked(prompts):
    made = prompts.commit("agent", text="{{x}}", tools=[TOOL], parameters={"top_p": 0.5})
    assert prompts.render("agent", {"x": ""}).tools[0].function.name == "look_up"
    assert made.tools_sent() == [TOOL]
    assert made.parameters.top_p == 0.5
    with pytest.raises(Invalid, match="Two tools are named 'look_up'"):
        prompts.commit("agent", text="x", tools=[TOOL, TOOL])
    bad = {"type": "function", "function": {"name": "a", "parameters": {"type": "object", "properties": {"x": 1}}}}
    with pytest.raises(Invalid, match="schema of the tool 'a'"):
        prompts.commit("agent", text="x", tools=[bad])
    with pytest.raises(Invalid, match=r"tools\.0"):
        prompts.commit("agent", text="x", tools=[{"type": "function", "function": {"name": "no way"}}])


def test_an_include_is_pinned_when_it_is_committed(prompts):
    prompts.commit("rules", text="Be {{tone}}.", variables={"tone": {"default": "kind"}})
    prompts.label("rules", "live", "1")
    made = prompts.commit(
        "ask",
        [{"role": "system", "content": '{% include "prompt/rules@live" %}'}, {"role": "user", "content": "{{q}}"}],
    )
    prompts.commit("rules", text="Be {{tone}} and brief.")
    prompts.label("rules", "live", "2")
    assert made.messages[0].content == '{% include "prompt/rules@1" %}'
    assert list(made.includes) == ["prompt/rules@1"]
    assert list(made.variables) == ["q", "tone"]
    assert prompts.render("ask", {"q": "x"}).messages[0].content == "Be kind."
    again = prompts.commit(
        "ask",
        [{"role": "system", "content": '{% include "prompt/rules@live" %}'}, {"role": "user", "content": "{{q}}"}],
    )
    assert again.number == 2
    assert again.variables["tone"].needed


def test_includes_do_not_go_round_nor_too_deep(prompts):
    prompts.commit("a", text="leaf")
    prompts.commit("b", text='{% include "prompt/a" %}')
    with pytest.raises(Invalid, match=r"prompt/a would include itself through prompt/b@1"):
        prompts.commit("a", text='{% include "prompt/b" %}')
    for one, other in ("cb", "dc", "ed", "fe"):
        last = lambda one=one, other=other: prompts.commit(one, text=f'{{% include "prompt/{other}" %}}')  # noqa: E731
        if one != "f":
            last()
    with pytest.raises(TooLarge, match="5 deep"):
        last()
    with pytest.raises(Invalid, match="2 messages"):
        prompts.commit("two", [{"role": "user", "content": "x"}] * 2)
        prompts.commit("g", text='{% include "prompt/two" %}')
    with pytest.raises(Invalid, match="is no prompt"):
        prompts.commit("g", text='{% include "dataset/x@1" %}')


def test_what_is_included_again_and_again_costs_a_commit_nothing(prompts):
    prompts.commit("v0", text="x")
    for level in range(1, 5):
        prompts.commit(f"v{level}", text=f'{{% include "prompt/v{level - 1}" %}}' * 1000)
    with pytest.raises(TooLarge, match=r"steps|seconds|characters"):
        prompts.render("v4")


def test_types_are_taken_from_use_and_checked():
    needed = {"rows": Variable(type="list"), "n": Variable(type="integer")}
    with pytest.raises(Invalid, match="'n' takes integer, not str"):
        fill([Message(role="user", content="{{n}}")], needed, {"rows": [], "n": "1"})
    with pytest.raises(Invalid, match="takes a JSON value"):
        fill([Message(role="user", content="{{rows}}")], needed, {"rows": [float("nan")], "n": 1})
