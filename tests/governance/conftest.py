"""A small world in which a model was tuned, measured and pinned; answers come from a scripted Chat port."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from mainspring.data import rows as row_store
from mainspring.data.models import Message, Row
from mainspring.evals import Experiments
from mainspring.governance import Releases
from mainspring.kernel import lineage, runs, versions
from mainspring.kernel.jobs import Job, execute, job
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import ChatReply, ChatRequest
from mainspring.prompts import Prompts
from mainspring.registry import ModelContent, ModelFile, Parameters, Release, register

WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "islet", "jetty", "knoll", "ledge"]


@dataclass(frozen=True)
class World:
    """The references that tests need."""

    platform: Platform
    dataset: str
    base: str
    tuned: str
    prompt: str
    answers: dict[str, bool | set[int]]
    """Model reference → whether it answers well, or which rows it does."""

    def measure(self, model: str, scorers: Sequence[str] = ("exact", "latency"), **options: object) -> str:
        """Run an experiment and return its id."""
        run = Experiments(self.platform).run(self.dataset, model, prompt=self.prompt, scorers=list(scorers),
                                             **options)  # type: ignore[arg-type]  # fmt: skip
        execute(self.platform, run.id)
        with self.platform.read() as tx:
            found = runs.get(tx, run.id)
        assert found.state == "succeeded", found.error
        return run.id

    def release(self, name: str = "docs", **options: int) -> Release:
        """Pin the tuned model."""
        return Releases(self.platform).create(name, model=self.tuned, prompt=self.prompt,
                                              parameters=Parameters(max_tokens=16, **options))  # fmt: skip


class ScriptedChat:
    """Answers right or wrong, as the world says of the model that is asked."""

    def __init__(self, answers: dict[str, bool | set[int]]) -> None:
        self.answers = answers

    def complete(self, request: ChatRequest) -> ChatReply:
        question = str(request.messages[-1]["content"])
        number, well = int(question.split()[1]), self.answers[request.model]
        right = number % 7 == 0 or (well if isinstance(well, bool) else number in well)
        return ChatReply(text=f"answer {question.split()[1]}" if right else "no idea", finish_reason="stop",
                         input_tokens=5, output_tokens=2, cost=0.0, latency_ms=3.0)  # fmt: skip

    def complete_many(
        self,
        requests: Sequence[ChatRequest],
        *,
        concurrency: int = 8,
        on_reply: Callable[[int, ChatReply | Exception], None] | None = None,
    ) -> list[ChatReply | Exception]:
        replies: list[ChatReply | Exception] = [self.complete(request) for request in requests]
        for index, reply in enumerate(replies):
            if on_reply:
                on_reply(index, reply)
        return replies


def text_of(number: int) -> str:
    """A sentence that no other number's resembles."""
    return " ".join(WORDS[(number * step + step) % 12] + str(number * step) for step in range(1, 12))


def make_rows(train: int = 40, test: int = 60, **changes: str) -> list[Row]:
    """Rows of two splits that share nothing; `train-3="text"` changes one row's question."""
    rows = []
    for number in range(train + test):
        split = "train" if number < train else "test"
        name = f"{split}-{number}"
        question = changes.get(name.replace("-", "_"), f"question {number} {text_of(number)}")
        rows.append(
            Row(
                id=name,
                messages=[
                    Message(role="user", content=question),
                    Message(role="assistant", content=f"answer {number}"),
                ],
                reference=f"answer {number}",
                group=name,
                split=split,
                meta={"license": changes.get("license", "MIT")},
            )
        )
    return rows


def build(platform: Platform, rows: list[Row] | None = None, *, parity: bool | None = True) -> World:
    """Make base, dataset, tuned model and prompt, with the lineage that the rooms would draw."""
    content = row_store.store(platform.files, make_rows() if rows is None else rows)
    weights, adapter = platform.files.put(b"weights"), platform.files.put(b"adapter")
    report = [{"format": "adapter", "passed": parity, "max_difference": 0.01}]
    with platform.begin() as tx:
        source = versions.commit(tx, "dataset", "raw", {"rows": 1}).ref
        data = versions.commit(tx, "dataset", "docs", content).ref
        recipe = runs.create(tx, "recipe.run", {}, [source])
        lineage.link(tx, recipe.id, outputs=[data])
        lineage.link_rows(tx, data, [(f"train-{n}", "row", f"{source}#r{n}") for n in range(3)])
        lineage.link_rows(tx, source, [("r0", "file", "f" * 64 + "#1"), ("r1", "trace", "ab" * 16)])
        base = register(tx, "base", ModelContent(
            format="gguf", license="Apache-2.0", architecture="llama",
            files=[ModelFile(path="m.gguf", sha256=weights.sha256, size=weights.size, role="weights")]))  # fmt: skip
        tuning = runs.create(tx, "test.tune", {}, [data, base.ref])
        tuned = register(tx, "tuned", ModelContent(
            format="lora", license="Apache-2.0", base=base.ref, metadata={} if parity is None else {"parity": report},
            files=[ModelFile(path="adapter.gguf", sha256=adapter.sha256, size=adapter.size, role="adapter")]),
            run_id=tuning.id)  # fmt: skip
    prompt = Prompts(platform).commit("ask", [{"role": "user", "content": "{{input}}"}])  # type: ignore[list-item]
    answers: dict[str, bool | set[int]] = {base.ref: False, tuned.ref: True}
    platform.chat_port = ScriptedChat(answers)
    return World(platform, data, base.ref, tuned.ref, prompt.ref, answers)


@job("test.tune")
def tune(task: Job) -> dict[str, str]:
    return {"made": json.dumps(dict(task.params))}


@pytest.fixture
def worlds() -> SimpleNamespace:
    """The builders: `build(platform, rows, parity=…)`, `make_rows`, `text_of`."""
    return SimpleNamespace(build=build, make_rows=make_rows, text_of=text_of)
