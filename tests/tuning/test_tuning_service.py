"""Tuning and runs through their operations, on a tiny llama."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mainspring.data.service import Datasets
from mainspring.kernel import lineage
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound
from mainspring.kernel.jobs import Job, job
from mainspring.kernel.platform import Platform
from mainspring.kernel.runs import Run
from mainspring.prompts import Message, Prompts
from mainspring.registry import Models, keep_file
from mainspring.tuning import Runs, SftConfig, Tunes
from mainspring.tuning.loglikelihood import TrainerLogLikelihood

pytestmark = pytest.mark.filterwarnings("ignore")
QUICK = SftConfig(
    steps=6, batch=4, rank=4, layers=0, learning_rate=5e-3, threads=1, precision="float32", validation_rows=4,
    checkpoint_every=2, parity=False,
)  # fmt: skip


def add_rows(platform: Platform, name: str, rows: list[dict[str, object]]) -> str:
    """Import rows and return the version's reference."""
    lines = "\n".join(json.dumps(row) for row in rows)
    return Datasets(platform).import_(name, keep_file(platform, lines.encode()).sha256).ref


def chat(index: int, split: str = "train") -> dict[str, object]:
    answer = json.dumps({"k": "xyz"[index % 3]})
    messages = [{"role": "user", "content": "abc"[index % 3]}, {"role": "assistant", "content": answer}]
    return {"id": f"r{index}", "messages": messages, "split": split, "meta": {"license": "MIT"}}


@pytest.fixture
def base(platform: Platform, tiny: Path) -> str:
    """The tiny llama, registered."""
    return Models(platform).import_("tiny", keep_file(platform, tiny).sha256).ref


@pytest.fixture
def dataset(platform: Platform) -> str:
    """30 rows to learn, 6 to validate, 4 to test."""
    splits = ["train"] * 30 + ["validation"] * 6 + ["test"] * 4
    return add_rows(platform, "letters", [chat(index, split) for index, split in enumerate(splits)])


def test_a_dataset_becomes_a_registered_model(platform: Platform, base: str, dataset: str) -> None:
    run = Tunes(platform).sft("letters", "tiny", name="lettered", config=QUICK)
    assert run.state == "succeeded", run.error
    assert run.result["model"] == "model/lettered@1"
    figures = run.result["training"]
    assert figures["rows"] == 30, "validation and test rows are not learned"
    assert figures["held_out_loss"]["after"] < figures["held_out_loss"]["before"]
    assert figures["last_loss"] < figures["first_loss"]

    model = Models(platform).get("lettered")
    assert model.format == "lora" and model.base == base
    assert model.license == "Apache-2.0"
    assert "<|im_start|>" in model.chat_template
    assert {"adapter", "peft", "config", "merged", "tokenizer", "template"} <= {file.role for file in model.files}
    assert model.metadata["config"]["steps"] == 6
    assert Models(platform).verify("lettered").verified

    with platform.read() as tx:
        assert {edge.ref for edge in lineage.inputs_of(tx, model.ref)} == {base, dataset}
        reached = {f"r{index}": lineage.rows_from(tx, "row", f"{dataset}#r{index}") for index in range(40)}
        learned = {row for row, found in reached.items() if model.ref in {source.dataset for source in found}}
        assert len(learned) == figures["rows_learned"] > 15
        assert learned <= {f"r{index}" for index in range(30)}, "a row that is kept apart was learned"
    assert not (platform.home / "runs" / run.id / "adapter").exists(), "the run's own folder is gone"


def test_the_same_tuning_is_the_same_version(platform: Platform, base: str, dataset: str) -> None:
    first = Tunes(platform).sft(dataset, base, name="twice", config=QUICK)
    again = Tunes(platform).sft(dataset, base, name="twice", config=QUICK)
    assert first.result["model"] == again.result["model"] == "model/twice@1"


def test_progress_and_log_can_be_read_and_followed(platform: Platform, base: str, dataset: str) -> None:
    run = Tunes(platform).sft(dataset, base, name="m", config=QUICK)
    runs = Runs(platform)
    events = runs.logs(run.id, limit=1000)
    metrics = [event.body["metrics"] for event in events if event.kind == "progress" and event.body["metrics"]]
    assert metrics and {"loss", "learning_rate", "tokens_per_second"} <= metrics[-1].keys()
    assert any("30 rows" in event.body["text"] for event in events if event.kind == "log")
    assert runs.logs(run.id, after=events[-1].seq) == []
    news = runs.follow(run.id)
    assert news.run.state == "succeeded" and news.after == events[-1].seq
    assert runs.follow(run.id, after=news.after).events == [], "a run that is over is not waited for"
    assert [found.id for found in runs.list_(kind="tune.sft").items] == [run.id]
    assert runs.list_(state="failed").items == []
    with pytest.raises(Conflict):
        runs.cancel(run.id)


def test_rows_go_through_the_prompt_that_will_serve(platform: Platform, base: str, dataset: str) -> None:
    messages = [Message(role="system", content="Say k."), Message(role="user", content="<{{input}}>")]
    prompt = Prompts(platform).commit("ask", messages)
    bare = Tunes(platform).sft(dataset, base, name="bare", config=QUICK)
    run = Tunes(platform).sft(dataset, base, name="m", config=QUICK.model_copy(update={"prompt": "ask"}))
    assert run.state == "succeeded", run.error
    assert run.params["config"]["prompt"] == prompt.ref, "pinned when the run was asked for"
    assert run.result["training"]["tokens"] > bare.result["training"]["tokens"]
    with platform.read() as tx:
        assert prompt.ref in {edge.ref for edge in lineage.inputs_of(tx, run.result["model"])}


def failed(run: Run) -> str:
    assert run.state == "failed" and run.error is not None
    assert run.error["code"] == "invalid", run.error
    return str(run.error["message"])


def test_rows_that_cannot_be_learned_fail_the_run_and_register_nothing(platform: Platform, base: str) -> None:
    texts = add_rows(platform, "texts", [{"id": "t1", "text": "only text"}])
    assert "t1" in failed(Tunes(platform).sft(texts, base, name="m", config=QUICK))
    other = add_rows(platform, "other", [chat(1, "test")])
    assert "no row" in failed(Tunes(platform).sft(other, base, name="m", config=QUICK))
    with pytest.raises(NotFound):
        Models(platform).get("m")


def test_what_is_wrong_is_said_at_once(platform: Platform, base: str, dataset: str) -> None:
    tunes = Tunes(platform)
    with pytest.raises(NotFound):
        tunes.sft("dataset/none", base, name="m")
    with pytest.raises(NotFound):
        tunes.sft(dataset, "model/none", name="m")
    with pytest.raises(NotFound):
        tunes.sft(dataset, base, name="m", config=SftConfig(prompt="prompt/none"))
    with pytest.raises(Invalid, match=r"config\.steps"):
        tunes.sft(dataset, base, name="m", config={"steps": 0})  # type: ignore[arg-type]
    tuned = tunes.sft(dataset, base, name="m", config=QUICK)
    with pytest.raises(Invalid, match="not a whole GGUF"):
        tunes.sft(dataset, tuned.result["model"], name="again")
    with pytest.raises(NotFound):
        Runs(platform).get("0" * 36)


def test_a_viewer_reads_runs_and_starts_none(
    platform: Platform, acting: Callable[..., object], base: str, dataset: str
) -> None:
    run = Tunes(platform).sft(dataset, base, name="m", config=QUICK)
    with acting(role="viewer", member="bob"):  # type: ignore[attr-defined]
        assert Runs(platform).get(run.id).state == "succeeded"
        with pytest.raises(Denied):
            Tunes(platform).sft(dataset, base, name="m")
        with pytest.raises(Denied):
            Runs(platform).resume(run.id)


def test_a_cancelled_run_goes_on_after_its_finished_steps(platform: Platform) -> None:
    done: list[str] = []

    @job("test.two-steps")
    def two_steps(task: Job) -> list[str]:
        task.step("one", lambda: done.append("one"))
        if "two" not in done:
            done.append("two")
            Runs(platform).cancel(task.run_id)
        task.check_cancelled()
        return done

    run = Runs(platform).start_run("test.two-steps", {})
    assert run.state == "cancelled"
    again = Runs(platform).resume(run.id)
    assert again.state == "succeeded"
    assert again.result == ["one", "two"], "the step that was finished is not repeated"


def test_given_answers_are_scored_as_the_trainer_computes_them(platform: Platform, base: str, dataset: str) -> None:
    port = TrainerLogLikelihood(platform)
    rows = [chat(index)["messages"] for index in range(6)]
    before = port.score(base, rows)  # type: ignore[arg-type]
    run = Tunes(platform).sft(dataset, base, name="m", config=QUICK)
    after = port.score(run.result["model"], rows)  # type: ignore[arg-type]
    assert [reply.tokens for reply in before] == [11] * 6, "each byte of the answer, and its end"
    assert all(reply.total < 0 for reply in before)
    assert sum(reply.total for reply in after) > sum(reply.total for reply in before)
    with pytest.raises(NotFound):
        port.score("model/none", rows)  # type: ignore[arg-type]
    assert port.score(base, rows)[0].total == pytest.approx(before[0].total, rel=1e-3)  # type: ignore[arg-type]
