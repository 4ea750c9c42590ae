"""A dataset of a hundred questions, and a target that answers as the test says."""

from __future__ import annotations

import json
import threading

import pytest

from mainspring.data import rows as dataset_rows
from mainspring.data.models import Row
from mainspring.kernel import versions
from mainspring.kernel.ports import ChatReply, LogLikelihoodReply
from mainspring.prompts import Prompts

PACKAGES = ["json", "yaml", "http", "csv"]
SCHEMA = {
    "type": "object",
    "properties": {"package": {"enum": PACKAGES}, "summary": {"type": "string"}},
    "required": ["package", "summary"],
}


class Target:
    """Answers by `answer(request)`: a text, or an exception to be returned in its place."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []
        self.lock = threading.Lock()

    def complete(self, request):
        self.asked.append(request)
        text = self.answer(request)
        if isinstance(text, Exception):
            return text
        return ChatReply(text, "stop", 20, len(text.split()) + 1, 0.001, 10.0 + len(self.asked) % 7, 2.0, "t1")

    def complete_many(self, requests, *, concurrency=8, on_reply=None):
        replies = []
        for index, request in enumerate(requests):
            reply = self.complete(request)
            replies.append(reply)
            if on_reply is not None:
                on_reply(index, reply)
        return replies


class Likelihood:
    """Gives every token of an answer a probability of one half."""

    def __init__(self):
        self.asked = []

    def score(self, model, rows):
        self.asked += [(model, row) for row in rows]
        tokens = [len(row[-1]["content"].split()) for row in rows]
        return [LogLikelihoodReply(-0.6931471805599453 * count, count) for count in tokens]


def gold(number):
    return {"package": PACKAGES[number % 4], "summary": f"Return value number {number} of the table."}


def number_of(request):
    return int(request.messages[-1]["content"].split("#")[1])


def right(request):
    return json.dumps(gold(number_of(request)))


def half_right(request):
    number = number_of(request)
    return right(request) if number % 2 else "I think it is a function that does something."


@pytest.fixture
def target(platform):
    platform.chat_port = Target(right)
    return platform.chat_port


@pytest.fixture
def questions(platform, target):
    """Store a dataset of 100 test rows and 10 training rows, a prompt and two models."""
    made = []
    for number in range(110):
        question = {"role": "user", "content": f"Describe #{number}"}
        answer = {"role": "assistant", "content": json.dumps(gold(number))}
        made.append(
            Row(
                id=f"r{number}",
                messages=[{"role": "system", "content": "Old system text."}, question, answer],
                reference=gold(number),
                label=PACKAGES[number % 4],
                split="test" if number < 100 else "train",
                meta={"tone": "dry"},
            )
        )
    with platform.begin() as tx:
        versions.commit(tx, "dataset", "docs", dataset_rows.store(platform.files, made))
        versions.commit(tx, "model", "base", {"weights": 1})
        versions.commit(tx, "model", "tuned", {"weights": 2})
    ask = [{"role": "system", "content": "Answer as JSON."}, {"role": "user", "content": "{{input}}"}]
    Prompts(platform).commit("describe", ask, schema=SCHEMA, parameters={"max_tokens": 40})
    return "dataset/docs@1"
