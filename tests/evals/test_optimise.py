"""A better prompt is searched on training rows, judged on rows that the search never saw, and proposed."""

import dataclasses
import json
import random

import pytest

from mainspring.data import rows as dataset_rows
from mainspring.data.models import Row
from mainspring.evals import Scorers, proposals
from mainspring.evals.prompts import Prompts
from mainspring.kernel import runs, versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.jobs import execute
from mainspring.kernel.spans import SpanFilter

SECRET = "Answer in capitals"


def word(number):
    return f"word{number}"


def asked_words(request):
    return request.messages[-1]["content"].split("say ")[-1]


def obeys(request):
    """Answer in capitals where the instruction, or an example, shows so; propose that where asked to reflect."""
    text = request.messages[-1]["content"]
    if text.startswith("You improve the instruction"):
        return f"<instruction>Say the word. {SECRET}.</instruction>"
    system = request.messages[0]["content"] if request.messages[0]["role"] == "system" else ""
    shown = any(message["role"] == "assistant" for message in request.messages)
    return asked_words(request).upper() if SECRET in system or shown else asked_words(request)


@pytest.fixture
def prompts(platform, target):
    target.answer = obeys
    rows = [
        Row(id=f"r{n}", text=f"say {word(n)}", reference=word(n).upper(), split="train" if n < 60 else "test")
        for n in range(120)
    ]
    with platform.begin() as tx:
        versions.commit(tx, "dataset", "words", dataset_rows.store(platform.files, rows))
        versions.commit(tx, "model", "base", {"weights": 1})
    made = Prompts(platform)
    made.commit("say", [{"role": "system", "content": "Say the word."}, {"role": "user", "content": "{{input}}"}])
    return made


def optimised(prompts, **kwargs):
    run = prompts.optimize("say", "dataset/words", "model/base", **{"scorer": "exact", "front": 10, **kwargs})
    assert run.error is None, run.error
    return run.result


def test_reflection_finds_the_instruction_and_the_evidence_is_of_rows_it_never_saw(prompts, target):
    found = optimised(prompts, method="instruction", candidates=2)
    assert (found["base"], found["proposal"]) == ("prompt/say@1", "prompt/say@2")
    (judged, _) = found["comparison"]["metrics"]
    assert (judged["verdict"], judged["baseline"], judged["candidate"], judged["n"]) == ("better", 0, 1, 60)
    made = prompts.get("say")
    assert SECRET in made.messages[0].content
    assert (made.labels, "Proposed by run" in made.note) == ([], True)
    reflected = [request for request in target.asked if "You improve" in request.messages[-1]["content"]]
    assert reflected
    assert reflected[0].messages[0]["content"].count("Expected: WORD") == 4
    searched = [asked_words(request) for request in target.asked[: found["search_calls"]] if request not in reflected]
    assert all(int(text.removeprefix("word")) < 60 for text in searched)
    assert found["search_calls"] + 120 == len(target.asked)


def traced(target):
    """Let the target leave its traces to whoever asks it."""
    complete = target.complete

    def untraced(request):
        reply = complete(request)
        return reply if isinstance(reply, Exception) else dataclasses.replace(reply, trace_id="")

    target.complete = untraced
    return target


def spans_of(platform, run_id):
    platform.spans.flush()
    found = platform.spans.scan("default", SpanFilter(environment="experiment"), limit=1000)
    return [span for span in found if span.attributes["mainspring.run"] == run_id]


def test_each_call_of_the_search_is_a_trace_and_the_result_leads_to_the_worst(prompts, target, platform):
    traced(target)
    found = optimised(prompts, method="instruction", candidates=1)
    with platform.read() as tx:
        run = runs.list_(tx, kind="prompt.optimize")[0][0]
    spans = spans_of(platform, run.id)
    searched = [span for span in spans if "mainspring.experiment" not in span.attributes]
    assert (len(spans), len(searched)) == (len(target.asked), found["search_calls"])
    reflected = [span for span in searched if "You improve" in span.input[0]["parts"][0]["content"]]
    assert len(reflected) == 1
    assert SECRET in reflected[0].output[0]["parts"][0]["content"]
    by_trace = {span.trace_id: span for span in searched}
    base, child = found["tried"]
    assert [by_trace[trace].prompt for trace in base["traces"]] == ["prompt/say@1"] * 5
    assert [by_trace[trace].prompt for trace in child["traces"]] == [""] * 5
    assert prompts.metrics("say", limit=1).items[0].calls == 0


def test_examples_are_chosen_from_training_rows_outside_the_front(prompts, target):
    found = optimised(prompts, method="few-shot", candidates=3, shots=2)
    made = prompts.get("say")
    assert [message.role for message in made.messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert made.messages[2].content == made.messages[1].content.split("say ")[1].upper()
    assert found["comparison"]["metrics"][0]["verdict"] == "better"
    assert "2 examples" in found["tried"][1]["how"]


def test_where_nothing_is_better_nothing_is_proposed(prompts, target):
    target.answer = lambda request: "no"
    found = optimised(prompts, candidates=2)
    assert (found["proposal"], found["comparison"], found["experiments"]) == ("", None, [])
    assert prompts.get("say").number == 1


def test_the_budget_bounds_everything_and_too_small_a_one_is_refused(prompts, target):
    found = optimised(prompts, method="few-shot", candidates=50, max_calls=170)
    assert found["proposal"]
    assert len(target.asked) <= 170
    target.asked = []
    run = prompts.optimize("say", "dataset/words", "model/base", scorer="exact", max_calls=100)
    assert run.error["code"] == "invalid"
    assert target.asked == []
    assert optimised(prompts, max_tokens_total=100, candidates=3)["search_calls"] <= 20


def test_a_judge_is_paid_from_the_same_budget(prompts, target, platform):
    def judges(request):
        if request.schema is None:
            return obeys(request)
        step = "pass" if json.loads(request.messages[-1]["content"])["answer"].isupper() else "fail"
        return json.dumps({"reason": "The case.", "step": step})

    target.answer = judges
    Scorers(platform).create_judge("capitals", "model/base", "Capitals are good.")
    found = optimised(prompts, scorer="judge:capitals", method="few-shot", candidates=50, max_calls=330)
    assert (found["proposal"], found["comparison"]["metrics"][0]["verdict"]) == ("prompt/say@2", "better")
    assert found["search_calls"] + 240 == len(target.asked) <= 330


def test_a_search_that_was_cut_off_pays_for_no_answer_twice(prompts, target, platform):
    traced(target)

    def dies(request):
        if len(target.asked) == 25:
            raise KeyboardInterrupt
        return obeys(request)

    target.answer = dies
    with pytest.raises(KeyboardInterrupt):
        prompts.optimize("say", "dataset/words", "model/base", scorer="exact", front=10, candidates=2)
    first = [json.dumps([dict(message) for message in request.messages]) for request in target.asked[:24]]
    target.answer, target.asked = obeys, []
    with platform.read() as tx:
        run = runs.list_(tx, kind="prompt.optimize")[0][0]
    execute(platform, run.id)
    with platform.read() as tx:
        assert runs.get(tx, run.id).state == "succeeded"
    again = [json.dumps([dict(message) for message in request.messages]) for request in target.asked]
    counted = [text for text in again if text in first]
    # The evidence asks the prompt as it is on held-out rows; of the search nothing is asked again.
    assert counted == []
    # Every answer left its trace, those that stood in the journal alone when the process died included.
    assert len(spans_of(platform, run.id)) == 24 + len(again)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train_split": "test"}, "judged on rows that it was made from"),
        ({"scorer": "nonsense"}, "no scorer"),
        ({"scorer": "perplexity"}, "tells nothing of an answer"),
    ],
)
def test_what_cannot_be_is_refused(prompts, arguments, message):
    with pytest.raises(Invalid, match=message):
        prompts.optimize("say", "dataset/words", "model/base", **{"scorer": "exact", **arguments})


def test_the_front_keeps_who_is_best_somewhere():
    scores = [{"a": 1, "b": 0, "c": 0}, {"a": 0, "b": 1, "c": 0}, {"a": 0, "b": 0, "c": 0}]
    drawn = {proposals.pick(scores, random.Random(seed)) for seed in range(40)}
    assert drawn == {0, 1}
    assert {proposals.pick([*scores, {"a": 1, "b": 1, "c": 1}], random.Random(seed)) for seed in range(20)} == {3}


def test_a_proposal_that_loses_a_placeholder_is_dropped(prompts):
    version = prompts.commit(
        "named", [{"role": "system", "content": "Greet {{name}}."}, {"role": "user", "content": "hi"}]
    )
    assert proposals.proposed("<instruction>Greet {{name}} warmly.</instruction>", version) == "Greet {{name}} warmly."
    for text in (
        "<instruction>Greet.</instruction>",
        "<instruction>{{other}} {{name}}</instruction>",
        "Greet {{name}}.",
    ):
        assert proposals.proposed(text, version) is None
    row = Row(id="a", text="a {{b}}", reference={"x": "{{y}}"})
    shown = proposals.with_examples(version, [row])
    assert shown.messages[1].content == "a \\{{b}}"
