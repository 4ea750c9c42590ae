"""Training on a tiny llama: it learns, it goes on after it was cut off, and it gives the same twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mainspring.kernel.errors import Cancelled
from mainspring.registry.tokenizer import load_tokenizer
from mainspring.tuning.adapter import add_adapter
from mainspring.tuning.base import load_base, load_fast_tokenizer
from mainspring.tuning.device import Device, choose_device, usable_cores
from mainspring.tuning.examples import Example, encode, schedule
from mainspring.tuning.models import SftConfig
from mainspring.tuning.sft import (
    StepReport,
    answer_logits,
    collate,
    held_out_loss,
    last_checkpoint,
    score_answers,
    train,
)

pytestmark = pytest.mark.filterwarnings("ignore")
CPU = Device("float32", 1, cuda=False)
CONFIG = SftConfig(steps=8, batch=4, learning_rate=5e-3, rank=4, layers=0, checkpoint_every=3)


@pytest.fixture(scope="module")
def examples(tiny: Path) -> list[Example]:
    tokenizer = load_tokenizer(tiny)
    pairs = [("abc"[i % 3] * (1 + i % 5), '{"k": "' + "xyz"[i % 3] + '"}') for i in range(32)]
    return [
        encode(tokenizer, str(i), [{"role": "user", "content": q}, {"role": "assistant", "content": a}])
        for i, (q, a) in enumerate(pairs)
    ]


@pytest.fixture
def run(tiny: Path, tiny_folder: Path, examples: list[Example]) -> Callable[..., tuple[list[StepReport], float, int]]:
    """Train into a folder; return the steps' reports, the loss afterwards, and where it began."""

    def go(folder: Path, *, stop_at: int = 0, device: Device = CPU) -> tuple[list[StepReport], float, int]:
        import torch

        torch.manual_seed(3)
        model = add_adapter(load_base(tiny_folder, device.precision), CONFIG)
        reports: list[StepReport] = []

        def on_step(report: StepReport) -> None:
            reports.append(report)
            if report.step == stop_at:
                raise Cancelled("stop")

        batches = schedule(examples, CONFIG.batch, CONFIG.steps, 0)
        begun = train(model, load_fast_tokenizer(tiny), batches, CONFIG, device, folder, on_step)
        return reports, held_out_loss(model, examples, device), begun

    return go


def test_training_goes_on_from_the_last_whole_checkpoint(
    run: Callable[..., tuple[list[StepReport], float, int]], tmp_path: Path
) -> None:
    whole, loss, begun = run(tmp_path / "whole")
    assert begun == 0
    assert [report.step for report in whole] == list(range(1, 9))
    assert whole[-1].loss < whole[0].loss * 0.8
    assert whole[-1].tokens > whole[0].tokens > 0

    with pytest.raises(Cancelled):
        run(tmp_path / "cut", stop_at=5)
    # A checkpoint that was being written when the process died has no readable state.
    shutil.copytree(tmp_path / "cut" / "checkpoint-3", tmp_path / "cut" / "checkpoint-6")
    (tmp_path / "cut" / "checkpoint-6" / "trainer_state.json").write_text('{"global_st')
    rest, again, begun = run(tmp_path / "cut")
    assert begun == 3
    assert [report.step for report in rest] == [4, 5, 6, 7, 8]
    assert again == pytest.approx(loss, abs=1e-4), "cut off or not, the result is the same"
    assert not (tmp_path / "cut" / "checkpoint-6" / "trainer_state.json").read_text().startswith('{"global_st')


def test_no_checkpoint_means_from_the_beginning(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None


@pytest.mark.slow
def test_bfloat16_learns_too(run: Callable[..., tuple[list[StepReport], float, int]], tmp_path: Path) -> None:
    reports, loss, _ = run(tmp_path / "half", device=Device("bfloat16", 1, cuda=False))
    assert reports[-1].loss < reports[0].loss * 0.8
    assert loss < reports[0].loss


def test_selected_logits_are_those_of_the_whole_forward(tiny_folder: Path, examples: list[Example]) -> None:
    import torch

    model = load_base(tiny_folder, "float32")
    model.eval()
    batch = [examples[0], examples[4]]
    inputs = collate(batch)
    with torch.inference_mode():
        chosen = answer_logits(model, inputs)
        alone = [model(torch.tensor([example.ids])).logits[0] for example in batch]
    expected = torch.cat([logits[e.prompt - 1 : -1] for logits, e in zip(alone, batch, strict=True)])
    torch.testing.assert_close(chosen, expected, atol=1e-4, rtol=1e-4)


def test_scores_come_in_the_order_asked_and_are_log_probabilities(tiny_folder: Path, examples: list[Example]) -> None:
    import torch

    model = load_base(tiny_folder, "float32")
    scored = score_answers(model, examples[:9], CPU, batch=4)
    for example, found in zip(examples[:9], scored, strict=True):
        with torch.inference_mode():
            whole = torch.log_softmax(model(torch.tensor([example.ids])).logits[0], dim=-1)
        places = range(example.prompt, len(example.ids))
        expected = [float(whole[at - 1, example.ids[at]]) for at in places]
        assert found.logprobs == pytest.approx(expected, abs=1e-3)
        behind = [float(whole[at - 1].max()) - ours for at, ours in zip(places, expected, strict=True)]
        assert found.lead == pytest.approx(behind, abs=1e-3)


def test_the_device_is_measured_or_as_asked() -> None:
    assert choose_device(threads=1).precision in ("float32", "bfloat16")
    assert choose_device("float32", 1) == CPU
    assert usable_cores() >= 1
