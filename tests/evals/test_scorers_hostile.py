"""Answers, schemas and texts that somebody made to stop a scorer."""

import json

import pytest

from mainspring.evals.scorers import Answer, metric
from mainspring.evals.scorers.judges import Judge, read
from mainspring.evals.scorers.overlap import MOST_LSUM, MOST_TER
from mainspring.kernel.errors import Invalid, TooLarge
from mainspring.kernel.ports import ChatReply
from mainspring.safety.schemas import check_schema


def of(**keywords):
    return {"type": "object", **keywords}


def word(pattern):
    return of(properties={"a": {"type": "string", "pattern": pattern}})


DOUBLED = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 10} for n in range(9)}
SLOW = json.dumps({"a": "a" * 40 + "b"})


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("{}", {"$ref": "#"}),
        ("[" * 900 + "]" * 900, {"type": "array", "items": {"$ref": "#"}}),
        ('{"a": "1"}', word("^(a+")),
        (SLOW, word("^(a|aa|aaa|a?)+$")),
        (json.dumps({"a" * 40 + "b": 1}), of(patternProperties={"^(a|aa|aaa|a?)+$": {}}, additionalProperties=False)),
        ("{}", of(patternProperties={"^a": {}}, unevaluatedProperties=False)),
        ("{}", {"$defs": {**DOUBLED, "d9": {}}, "$ref": "#/$defs/d0"}),
    ],
    ids=["endless", "deep", "no pattern", "slow", "slow name", "unevaluated", "doubled"],
)
def test_a_schema_that_cannot_be_told_gives_no_score(text, schema):
    assert metric("schema").value(Answer(text, schema=schema)) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [('{"a": "aab", "x1": 2}', 1.0), ('{"a": "b"}', 0.0), ('{"x1": "no"}', 0.0), ('{"other": 1}', 0.0), ("[]", 0.0)],
)
def test_patterns_of_a_schema_are_looked_for(text, value):
    schema = {**word("^aa?b$"), "patternProperties": {"^x[0-9]$": {"type": "integer"}}, "additionalProperties": False}
    assert metric("schema").value(Answer(text, schema=schema)) == value


def test_a_schema_with_a_pattern_that_is_none_is_refused():
    check_schema({"properties": {"pattern": {"const": {"pattern": "("}}}})
    for bad in (word("^(a+"), of(patternProperties={"(": {}})):
        with pytest.raises(Invalid, match=r"pattern that is none|not valid at"):
            check_schema(bad)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"reason": 1, "step": ' * 5000, "[]", "7"])
def test_what_a_judge_does_not_say_in_form_is_left_out(text):
    judge = Judge(model="model/judge@1", rubric="Kind?", scale=["fail", "pass"])
    assert read(judge, ChatReply(text, "stop", 1, 1, 0.0, 1.0, None, "")) is None
    odd = read(judge, ChatReply('{"reason": "a\\ud800\\u0000", "step": "pass"}', "stop", 1, 1, 0.0, 1.0, None, ""))
    assert odd is not None
    assert (odd.reason, odd.score) == ("a??", 1.0)


def test_numbers_and_digits_that_are_none_give_no_error():
    assert metric("numeric").value(Answer("1", reference=10**401)) is None
    assert metric("field:²").value(Answer("[1, 2, 3]", reference={"²": 1})) == 0.0
    assert metric("rougeL:²").value(Answer("[1, 2, 3]", reference=["a"])) is None


def test_texts_that_would_take_minutes_give_no_score_and_cannot_be_tried(platform):
    from mainspring.evals import Scorers

    long = " ".join("ab" for _ in range(int(MOST_TER**0.5) + 1))
    assert metric("ter").value(Answer(long, reference=long)) is None
    assert metric("ter").value(Answer("a b", reference="a c")) == 50.0
    lines = "a\n" * (int(MOST_LSUM**0.5) // 2 + 1)
    assert metric("rougeLsum").value(Answer(lines, reference=lines)) is None
    scorers = Scorers(platform)
    with pytest.raises(TooLarge, match="too long to try TER"):
        scorers.try_("ter", "a b " * 40, reference="b a " * 40)
    with pytest.raises(TooLarge, match="at most 20000 characters"):
        scorers.try_("rougeL", "a", reference="a" * 20_001)
