"""Calls: what a budget bears, and answers that no database could hold."""

import dataclasses

import pytest

from mainspring.evals.calls import Budget, answer_all
from mainspring.kernel import access
from mainspring.kernel.errors import Invalid
from mainspring.kernel.jobs import Job
from mainspring.kernel.ports import ChatReply, ChatRequest


class Dear:
    """Answers by `answer(number of the call)`, and counts how many were asked for at once."""

    def __init__(self, answer):
        self.answer, self.calls, self.waves = answer, 0, []

    def complete_many(self, requests, *, concurrency=8, on_reply=None):
        self.waves.append(len(requests))
        for index, _ in enumerate(requests):
            self.calls += 1
            on_reply(index, self.answer(self.calls))


class Alone(Job):
    """A job that no run stands behind."""

    def check_cancelled(self):
        pass

    def progress(self, *args, **kwargs):
        pass


def reply(cost, text="fine"):
    return ChatReply(text, "stop", 5, 7, cost, 12.5, None, "")


def asked(platform, chat, many=60, run="0196-run", **budget):
    requests = [ChatRequest("model/base@1", [{"role": "user", "content": str(number)}]) for number in range(many)]
    job = Alone(platform, run, {}, access.current())
    return answer_all(job, chat, requests, concurrency=8, reuse=False, budget=Budget(**budget))


def test_a_first_call_that_fails_does_not_open_the_budget(platform):
    chat = Dear(lambda number: Invalid("No.") if number <= 3 else reply(1.0))
    found = asked(platform, chat, cost=0.5)
    assert found.cost == 1.0
    assert chat.waves == [1, 1, 1, 1]
    assert "0.5 US dollars is spent" in found.stopped


def test_a_free_or_cheap_answer_opens_the_budget_only_step_by_step(platform):
    free = Dear(lambda number: reply(0.0 if number == 1 else 1.0))
    assert asked(platform, free, cost=0.5).cost == 1.0
    nothing = Dear(lambda number: reply(0.0))
    assert asked(platform, nothing, run="0197-run", cost=0.5).calls == 60
    assert nothing.waves == [1, 1, 2, 4, 8, 16, 28]


def test_half_a_surrogate_in_an_answer_is_kept_as_a_question_mark(platform):
    odd = dataclasses.replace(reply(0.25, "a\ud800b\0"), finish_reason="\udfff" * 200, input_tokens=-5)
    found = asked(platform, Dear(lambda number: odd), many=2)
    kept = found.outcomes[0].reply
    assert (kept.text, kept.finish_reason, kept.input_tokens) == ("a?b?", "?" * 100, 0)
    again = Dear(lambda number: pytest.fail("asked twice"))
    assert asked(platform, again, many=2).outcomes[1].reply.text == "a?b?"
