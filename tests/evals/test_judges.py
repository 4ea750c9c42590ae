"""Judges asked through the Chat port, calibrated against people; scorers in Python held within limits."""

from __future__ import annotations

import json
import random

import pytest

from mainspring.data import rows as dataset_rows
from mainspring.data.models import Row
from mainspring.evals import Experiment, Experiments, Scorers
from mainspring.evals.calibration import Calibration
from mainspring.evals.preference import Preference
from mainspring.evals.scorers.judges import Judge
from mainspring.kernel import versions
from mainspring.kernel.errors import Denied, Invalid, NotFound
from mainspring.kernel.ports import ChatReply
from mainspring.prompts import Message
from mainspring.traces import Prices, Scores

ROWS = 120


class World:
    """A model that answers, and a judge: what it is asked to judge carries the number of the row."""

    def __init__(self, says):
        self.says = says
        """What the judge says of (what it is shown, request)."""
        self.judged = []

    def complete(self, request):
        if request.schema:
            self.judged.append(request)
            text = self.says(json.loads(request.messages[-1]["content"]), request)
        else:
            text = f"answer {request.messages[-1]['content']}"
            text = self.answer(text) if request.model == "model/new@1" else text
        trace = f"{len(self.judged):032x}" if request.schema else f"{number(text):032x}"
        return ChatReply(text, "stop", 20, 5, 0.001, 10.0, 2.0, trace)

    def complete_many(self, requests, *, concurrency=8, on_reply=None):
        replies = []
        for index, request in enumerate(requests):
            replies.append(self.complete(request))
            if on_reply is not None:
                on_reply(index, replies[-1])
        return replies


def number(text):
    return int(text.split("#")[1])


def verdict(step, reason="It says so."):
    return json.dumps({"reason": reason, "step": step})


def even(shown, request):
    return verdict("pass" if number(shown["answer"]) % 2 == 0 else "fail")


@pytest.fixture
def world(platform):
    platform.chat_port = World(even)
    made = [
        Row(
            id=f"r{n}",
            messages=[Message(role="user", content=f"Question #{n}").model_dump()],
            reference=f"answer Question #{n}" if n % 2 else f"better #{n}",
            split="test",
            meta={"contexts": [f"Passage #{n}"]},
        )
        for n in range(ROWS)
    ]
    with platform.begin() as tx:
        versions.commit(tx, "dataset", "asked", dataset_rows.store(platform.files, made))
        versions.commit(tx, "model", "base", {"weights": 1})
        versions.commit(tx, "model", "judge", {"weights": 2})
    return platform.chat_port


@pytest.fixture
def scorers(platform, world):
    return Scorers(platform)


def ran(platform, *metrics, **kwargs):
    run = Experiments(platform).run("dataset/asked", "model/base", scorers=list(metrics), **kwargs)
    assert run.error is None, run.error
    return Experiment.model_validate(run.result)


def test_a_judge_is_a_version_with_its_model_made_exact(scorers):
    made = scorers.create_judge("even", "model/judge", "Good answers have an even number.")
    assert (made.ref, made.metric, made.judge.model) == ("judge/even@1", "judge:even@1", "model/judge@1")
    assert scorers.calibration("even").items == []
    assert scorers.create_judge("even", "model/judge", "Good answers have an even number.").existed
    assert scorers.create_judge("even", "model/judge", "Another rubric.").number == 2
    assert scorers.get("judge", "even", selector="1").judge.rubric.startswith("Good")
    assert [one.number for one in scorers.own("judge").items] == [2]
    with pytest.raises(NotFound):
        scorers.create_judge("other", "model/nobody", "Rubric.")
    with pytest.raises(Invalid, match="temperature 0"):
        scorers.create_judge("other", "model/judge", "Rubric.", trials=3)


def test_an_experiment_is_judged_and_no_question_is_paid_for_twice(platform, scorers, world):
    scorers.create_judge("even", "model/judge", "Good answers have an even number.", shows=["question", "contexts"])
    done = ran(platform, "judge:even", "exact")
    (figure, _) = done.figures
    assert (figure.metric, figure.value, figure.n) == ("judge:even@1", 0.5, ROWS)
    assert figure.low < 0.5 < figure.high
    asked = world.judged[3]
    shown = json.loads(asked.messages[-1]["content"])
    assert shown == {"question": "Question #3", "passages": ["Passage #3"], "answer": "answer Question #3"}
    assert asked.schema["properties"]["step"] == {"enum": ["fail", "pass"]}
    assert "even number" in asked.messages[0]["content"]
    assert len(world.judged) == ROWS
    ran(platform, "judge:even@1")
    assert len(world.judged) == ROWS


def test_reasons_are_kept_with_the_row_that_they_are_of(platform, scorers, world):
    world.says = lambda shown, request: verdict("pass", f"Because of {shown['answer']}, seed {request.seed}.")
    scorers.create_judge("wordy", "model/judge", "Rubric.", trials=2, temperature=0.5)
    done = ran(platform, "judge:wordy", "exact", repeats=2, limit=40)
    for row in Experiments(platform).rows(done.id).items:
        said = row.judgements["judge:wordy@1"]
        assert [one.reason for one in said] == [f"Because of {row.answer}, seed {seed}." for seed in (0, 1)]
        assert {(one.step, one.score) for one in said} == {("pass", 1.0)}


def test_what_judges_are_asked_comes_out_of_the_budget(platform, scorers, world):
    scorers.create_judge("even", "model/judge", "Good answers have an even number.")
    scorers.create_judge("twice", "model/judge", "Rubric.", pair=True)
    world.says = lambda shown, request: verdict("pass" if "answer" in shown else "tie")
    done = ran(platform, "judge:even", "judge:twice", max_calls=50)
    # An answer takes a call and three of judges, so that twelve fit; six are equal to their opponent in either order.
    assert (done.rows, len(world.judged), done.calls) == (12, 36 - 6, 48 - 6)
    assert [figure.n for figure in done.figures] == [12, 12]
    assert done.stopped == "The budget of 50 calls is spent." and done.cost == pytest.approx(0.042)
    with pytest.raises(Invalid, match="one answer takes 4"):
        ran(platform, "judge:even", "judge:twice", max_calls=3)
    with platform.begin() as tx:
        versions.commit(tx, "model", "other", {"weights": 3})
    scorers.create_judge("odd", "model/other", "Rubric.")
    Prices(platform).set("model/base@1", input_per_million=50.0, output_per_million=0.0)
    with pytest.raises(Invalid, match="model/other@1 has none"):
        ran(platform, "judge:odd", max_cost=0.02)
    Prices(platform).set("model/other@1", input_per_million=50.0, output_per_million=0.0)
    done = ran(platform, "judge:odd", max_cost=0.02)
    assert (done.rows, done.figures[0].n, done.cost) == (10, 10, pytest.approx(0.02))


def test_a_pair_is_shown_in_both_orders(platform, scorers, world):
    world.says = lambda shown, request: verdict("A")  # whoever comes first
    scorers.create_judge("first", "model/judge", "The better one.", pair=True)
    assert ran(platform, "judge:first", limit=40).figures[0].value == 0.5
    shown = [json.loads(request.messages[-1]["content"]) for request in world.judged]
    orders = [(one["answer A"], one["answer B"]) for one in shown if one["question"] == shown[0]["question"]]
    assert orders in ([orders[0], orders[0][::-1]], [(orders[0][0],) * 2])
    world.says = lambda shown, request: verdict("A" if shown["answer A"].startswith("better") else "B")
    scorers.create_judge("better", "model/judge", "The truly better one.", pair=True)
    rows = Experiments(platform).rows(ran(platform, "judge:better").id, limit=ROWS).items
    assert {row.scores["judge:better@1"] for row in rows if number(row.answer) % 2 == 0} == {0.0}


def test_several_trials_are_averaged_and_bad_form_is_left_out(platform, scorers, world):
    world.says = lambda shown, request: verdict("pass" if request.seed == 0 else "fail")
    scorers.create_judge("unsure", "model/judge", "Rubric.", trials=4, temperature=0.7)
    assert ran(platform, "judge:unsure", limit=40).figures[0].value == 0.25
    world.says = lambda shown, request: "Well, it depends." if number(shown["answer"]) % 2 else verdict("pass")
    scorers.create_judge("vague", "model/judge", "Another rubric.")
    figure = ran(platform, "judge:vague").figures[0]
    assert (figure.value, figure.n) == (1.0, ROWS // 2)


def test_two_experiments_are_set_against_each_other_in_both_orders(platform, scorers, world):
    experiments = Experiments(platform)
    before = ran(platform, "exact", repeats=2, limit=60)
    with platform.begin() as tx:
        versions.commit(tx, "model", "new", {"weights": 4})
    world.answer = lambda text: text if number(text) % 6 == 0 else text.replace("answer", "new answer")
    after = Experiment.model_validate(
        experiments.run("dataset/asked", "model/new", scorers=["exact"], repeats=2, limit=60).result
    )

    def says(shown, request):
        if number(shown["answer A"]) % 6 == 1:
            return verdict("A")  # whoever stands first
        return verdict("A" if shown["answer A"].startswith("new") else "B", "It is new.")

    world.says = says
    scorers.create_judge("newer", "model/judge", "The newer one.", pair=True)
    found = Preference.model_validate(experiments.prefer(before.id, after.id, "newer").result)
    rows = [row.row for row in experiments.rows(after.id, limit=200).items]
    same, swayed = (sum(int(row[1:]) % 6 == rest for row in rows) for rest in (0, 1))
    assert (found.n, found.wins, found.losses, found.ties) == (120, 120 - same - swayed, 0, same + swayed)
    assert (found.swayed, found.unjudged, found.verdict) == (swayed, 0, "better")
    assert found.win_rate == pytest.approx((found.wins + found.ties / 2) / 120)
    assert 0.5 < found.low < found.win_rate < found.high
    # Both answers of a row are alike here: what was asked once is not asked again.
    assert found.calls == len(world.judged) == 120 - same
    assert [one.ref for one in experiments.preferences(before.id, after.id).items] == [found.ref]
    assert experiments.preferences(after.id, before.id).items == []
    won = experiments.preferred(found.ref, winner="candidate", limit=200).items
    assert len(won) == found.wins and {said.step for row in won for said in row.said} == {"A"}
    assert [said.swapped for said in won[0].said] == [False, True] and won[0].said[0].reason == "It is new."
    assert experiments.prefer(before.id, after.id, "newer").result["calls"] == 0
    cut = Preference.model_validate(experiments.prefer(before.id, after.id, "newer", limit=20).result)
    assert cut.n == 20
    scorers.create_judge("again", "model/judge", "Another rubric.", pair=True)
    cut = Preference.model_validate(experiments.prefer(before.id, after.id, "again", max_calls=10).result)
    assert cut.calls == 10 and cut.stopped == "The budget of 10 calls is spent." and cut.unjudged == 120 - cut.n
    scorers.create_judge("single", "model/judge", "Rubric.")
    with pytest.raises(Invalid, match="one answer at a time"):
        experiments.prefer(before.id, after.id, "single")
    with pytest.raises(Invalid, match="than itself"):
        experiments.prefer(before.id, before.id, "newer")


def test_one_answer_can_be_tried_with_the_reason(scorers, world):
    scorers.create_judge("grade", "model/judge", "Rubric.", scale=["bad", "fair", "good"])
    world.says = lambda shown, request: verdict("fair", "Half right.")
    tried = scorers.try_("judge:grade", "answer #1", question="What?")
    assert (tried.metric, tried.value) == ("judge:grade@1", 0.5)
    assert [(one.step, one.reason) for one in tried.judgements] == [("fair", "Half right.")]
    assert scorers.try_("contains:two words", "Two  words").value == 1.0
    with pytest.raises(Invalid, match="no scorer"):
        scorers.try_("nothing", "x")


def test_what_is_not_there_is_said_with_what_to_do(scorers):
    for metric in ("judge:nobody", "code:nothing"):
        with pytest.raises(NotFound) as caught:
            scorers.try_(metric, "x")
        assert f"mainspring scorer own {metric.partition(':')[0]}" in caught.value.hint
    assert scorers.try_("exact", "x").note == "exact compares with reference: give --reference."
    assert scorers.try_("cost", "x").note.startswith("cost does not apply")


def label(platform, rows, truth, name="quality"):
    """Have a person judge rows on their traces."""
    for row in rows:
        good = truth(number(row.answer))
        Scores(platform).create(name, trace_id=row.trace_id, label="pass" if good else "fail")


def test_a_judge_is_calibrated_and_its_figure_corrected(platform, scorers, world):
    rng = random.Random(1)
    # People find two of three good; the judge passes 95 of 100 of these and 30 of 100 of the others.
    good = [rng.random() < 0.66 for _ in range(ROWS)]
    says = [rng.random() < (0.95 if one else 0.3) for one in good]
    world.says = lambda shown, request: verdict("pass" if says[number(shown["answer"])] else "fail")
    scorers.create_judge("kind", "model/judge", "Rubric.")
    done = ran(platform, "judge:kind", name="live")
    rows = Experiments(platform).rows(done.id, limit=ROWS).items
    label(platform, rows[:80], lambda n: good[n])
    run = scorers.calibrate("kind", "live")
    assert run.error is None, run.error
    found = Calibration.model_validate(run.result)
    assert (found.n, found.judge, found.human) == (80, "judge/kind@1", "quality")
    table = found.confusion
    assert sum(map(sum, table)) == 80
    assert table[1][0] == sum(says[n] and not good[n] for n in range(80))
    assert found.agreement == pytest.approx(sum(says[n] == good[n] for n in range(80)) / 80)
    assert found.kappa_low < found.kappa < found.kappa_high
    assert found.bias > 0
    assert found.verdict in {"trust", "use with correction", "do not use"}
    assert found.corrected.low < sum(good) / ROWS < found.corrected.high
    assert found.disagreements[0].human != found.disagreements[0].judge
    assert scorers.corrected("live", "kind") == found.corrected
    assert [one.ref for one in scorers.calibrations().items] == ["calibration/kind@1"]
    assert scorers.calibration("kind").items[0].sentence == found.sentence
    assert len(world.judged) == ROWS
    with pytest.raises(NotFound):
        scorers.calibration("nobody")


def test_errors_of_a_judge_are_carried_to_another_experiment(platform, scorers, world):
    world.says = lambda shown, request: verdict("pass" if number(shown["answer"]) % 3 else "fail")
    scorers.create_judge("thirds", "model/judge", "Rubric.")
    rows = Experiments(platform).rows(ran(platform, "judge:thirds", name="seen").id, limit=ROWS).items
    label(platform, rows[:90], lambda n: n % 3 > 0)
    assert scorers.calibrate("thirds", "seen").error is None
    with platform.begin() as tx:
        versions.commit(tx, "model", "other", {"weights": 3})
    run = Experiments(platform).run("dataset/asked", "model/other", scorers=["judge:thirds"], name="unseen", seed=5)
    assert run.error is None
    figure = scorers.corrected("seen", "thirds")
    assert figure.method == "prediction-powered, 90 labels"
    assert figure.low < 2 / 3 < figure.high


def test_rows_that_were_not_judged_are_judged_for_the_calibration(platform, scorers, world):
    scorers.create_judge("even", "model/judge", "Rubric.")
    done = ran(platform, "exact")
    label(platform, Experiments(platform).rows(done.id, limit=12).items, lambda n: n % 2 == 0)
    found = Calibration.model_validate(scorers.calibrate("even", done.id).result)
    assert (found.n, found.agreement, found.verdict) == (12, 1.0, "too few rows")
    assert "at least 30" in found.sentence
    assert found.corrected is None
    assert len(world.judged) == 12


def test_without_labels_there_is_nothing_to_calibrate_with(platform, scorers):
    scorers.create_judge("even", "model/judge", "Rubric.")
    done = ran(platform, "exact", limit=40)
    run = scorers.calibrate("even", done.id)
    assert run.error["code"] == "invalid"
    assert "mainspring score create quality" in run.error["hint"]
    rows = Experiments(platform).rows(done.id, limit=1).items
    Scores(platform).create("quality", trace_id=rows[0].trace_id, label="splendid")
    assert "is splendid, which is no step" in scorers.calibrate("even", done.id).error["message"]


def test_what_people_gave_is_a_column(platform, scorers):
    one, two = ran(platform, "exact", name="one"), ran(platform, "exact", name="two")
    rows = Experiments(platform).rows(one.id, limit=60).items
    for row in rows:
        Scores(platform).create("rated", trace_id=row.trace_id, number=0.2 + (number(row.answer) % 7) / 10)
    found = scorers.human("one", "rated", baseline=two.id)
    assert (found.figure.n, len(found.values)) == (60, 60)
    assert found.figure.low < found.figure.value < found.figure.high
    assert (found.comparison.difference, found.comparison.verdict) == (0.0, "no difference shown")
    with pytest.raises(Invalid, match="gave no row"):
        scorers.human("one", "unheard")


POLITE = "def score(answer, reference, question, contexts):\n    return 'answer' in answer"


def test_python_scores_rows_in_a_process_of_its_own(platform, scorers):
    made = scorers.create_code("polite", POLITE)
    assert made.metric == "code:polite@1"
    figure = ran(platform, "code:polite").figures[0]
    assert (figure.metric, figure.value, figure.n) == ("code:polite@1", 1.0, ROWS)
    source = (
        "import math\ndef score(answer, reference, question, contexts):\n"
        "    if 'bad' in answer: return None\n"
        "    return math.sqrt(len(contexts) + len(question) + (reference or 0))\n"
    )
    scorers.create_code("mixed", source)
    assert scorers.try_("code:mixed", "fine", reference=3, question="abcde", contexts=["one"]).value == 3.0
    assert scorers.try_("code:mixed", "bad").value is None


BODY = "def score(answer, reference, question, contexts):\n    "


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (BODY + "return 1 / 0", "failed at row 0: ZeroDivisionError"),
        (BODY + "return 'high'", "not a number"),
        (BODY + "return float('nan')", "not finite"),
        (BODY + "while True: pass", "took more than 0.5 s"),
        (BODY + "return len('x' * (1 << 30))", "memory|MemoryError"),
        (BODY + "return len(open('/etc/passwd').read())", "may not open files"),
        (BODY + "open('/tmp/written', 'w')", "may not open files"),
        ("import socket\n" + BODY + "socket.create_connection(('127.0.0.1', 9))", "may not|Error"),
        (BODY + "import subprocess; subprocess.run(['true'])", "may not|Error"),
        (BODY + "import os; os.kill(1, 9)", "may not use os"),
        (BODY + "import os; return float(len(os.environ.get('HOME', '')) + 'k'", "does not compile"),
        ("x = 1", "defines no function"),
        (BODY + "import os; os._exit(3)", "without a result"),
    ],
)
def test_python_that_misbehaves_is_stopped_with_a_clear_error(scorers, source, message):
    # What ends by itself has time enough to begin.
    seconds = 0.5 if "took more" in message else 60
    with pytest.raises(Invalid, match=message):
        scorers.create_code("wild", source, seconds=seconds, megabytes=128)
        scorers.try_("code:wild", "text")


def test_only_admins_store_code(scorers, acting):
    with acting("developer"):
        with pytest.raises(Denied, match=r"code\.write"):
            scorers.create_code("mine", POLITE)
        assert scorers.create_judge("mine", "model/judge", "Rubric.").number == 1


def test_a_judge_sees_no_more_than_it_should():
    judge = Judge(model="model/judge@1", rubric="Rubric.", shows=["reference"])
    from mainspring.evals.scorers import Answer
    from mainspring.evals.scorers.judges import requests

    (asked,) = requests(judge, Answer("x" * 50_000, {"a": 1}, question="secret"))
    shown = json.loads(asked.messages[-1]["content"])
    assert shown == {"reference": '{"a": 1}', "answer": "x" * 20_000}
