"""Supervised fine-tuning: the loss on the answer only, on TRL's trainer, from checkpoint to checkpoint."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.tuning.device import Device
from mainspring.tuning.examples import IGNORED, Example
from mainspring.tuning.models import SftConfig

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast
    from transformers.trainer_callback import TrainerCallback
    from trl import SFTTrainer


@dataclass(frozen=True, slots=True)
class StepReport:
    """One optimiser step."""

    step: int
    loss: float
    """Mean negative log-likelihood of the answer tokens, in nats."""
    learning_rate: float
    gradient_norm: float
    tokens: int
    """Tokens seen in this process so far, padding left out."""
    seconds: float
    """Since training began in this process."""


OnStep = Callable[[StepReport], None]
"""Called after each step; an exception that it raises ends the training, checkpoints stay."""


def train(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerFast,
    batches: Sequence[Sequence[Example]],
    config: SftConfig,
    device: Device,
    checkpoints: Path,
    on_step: OnStep,
) -> int:
    """Train the adapter on the scheduled batches, from the last whole checkpoint on; return the step begun from."""
    from transformers import PrinterCallback, set_seed

    set_seed(config.seed)
    trainer = _trainer(model, tokenizer, batches, config, device, checkpoints)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_reporter(batches, on_step))
    last = last_checkpoint(checkpoints)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    return _step_of(last) if last else 0


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that is whole, and remove those that are not.

    The trainer's state is written last, so a checkpoint without a readable one was cut off.
    """
    whole: list[Path] = []
    for found in folder.glob("checkpoint-*"):
        try:
            json.loads((found / "trainer_state.json").read_text())
            whole.append(found)
        except (OSError, ValueError):
            shutil.rmtree(found, ignore_errors=True)
    return max(whole, key=_step_of, default=None)


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model makes of a given answer, token by token."""

    logprobs: list[float]
    """Log-probability of each answer token, in nats."""
    lead: list[float]
    """By how much the most probable token in each place is more so than the answer's, in nats: 0 where they are one."""


def held_out_loss(model: Any, examples: Sequence[Example], device: Device) -> float:
    """Return the mean negative log-likelihood of the examples' answer tokens, in nats."""
    scored = score_answers(model, examples, device)
    return -sum(sum(one.logprobs) for one in scored) / max(1, sum(len(one.logprobs) for one in scored))


def score_answers(model: Any, examples: Sequence[Example], device: Device, *, batch: int = 8) -> list[Scored]:
    """Score the answer of each example under a model, in the examples' order."""
    import torch

    found: dict[int, Scored] = {}
    order = sorted(range(len(examples)), key=lambda index: len(examples[index].ids))
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            inputs = collate([examples[index] for index in chosen])
            labels = inputs["labels"][:, 1:]
            with computing_in(device):
                logits = answer_logits(model, inputs).float()
            picked = labels[labels != IGNORED].to(logits.device)
            every = torch.log_softmax(logits, dim=-1)
            chances = every.gather(1, picked[:, None])[:, 0]
            lead = (every.max(dim=-1).values - chances).tolist()
            logprobs = chances.tolist()
            for index in chosen:
                count = len(examples[index].ids) - examples[index].prompt
                found[index] = Scored(logprobs[:count], lead[:count])
                logprobs, lead = logprobs[count:], lead[count:]
    model.train(was_training)
    return [found[index] for index in range(len(examples))]


def answer_logits(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Return the logits that predict the answer tokens only, shape (answer tokens, vocabulary).

    The head costs as much as a quarter of a small model's layers, and most positions are prompt. Rows are padded on
    the right, so that the causal mask alone keeps real tokens from seeing padding.
    """
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    place = next(whole.parameters()).device
    hidden = whole.model(input_ids=inputs["input_ids"].to(place), use_cache=False).last_hidden_state
    wanted = (inputs["labels"][:, 1:] != IGNORED).to(place)
    logits: Tensor = whole.lm_head(hidden[:, :-1][wanted].to(whole.lm_head.weight.dtype))
    return logits


def collate(rows: Sequence[Example | dict[str, Any]]) -> dict[str, Tensor]:
    """Pad rows on the right to the longest; return `input_ids` and `labels`, both of shape (rows, longest)."""
    import torch

    pairs = [
        (list(row.ids), row.labels) if isinstance(row, Example) else (row["input_ids"], row["labels"]) for row in rows
    ]
    longest = max(len(ids) for ids, _ in pairs)
    return {
        "input_ids": torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in pairs]),
        "labels": torch.tensor([labels + [IGNORED] * (longest - len(labels)) for _, labels in pairs]),
    }


def computing_in(device: Device) -> AbstractContextManager[Any]:
    """Return the context in which adapters, kept in float32, compute in the base's precision."""
    import torch

    if device.precision == "float32":
        return nullcontext()
    kind: AbstractContextManager[Any] = torch.autocast("cuda" if device.cuda else "cpu", dtype=torch.bfloat16)
    return kind


def _trainer(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerFast,
    batches: Sequence[Sequence[Example]],
    config: SftConfig,
    device: Device,
    checkpoints: Path,
) -> SFTTrainer:
    import datasets
    from trl import SFTTrainer

    class AnswerTrainer(SFTTrainer):  # type: ignore[misc]
        """TRL's trainer with the head applied to answer positions only."""

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            import torch

            with computing_in(device):
                logits = answer_logits(self.accelerator.unwrap_model(model), inputs)
            labels = inputs["labels"][:, 1:]
            loss = torch.nn.functional.cross_entropy(logits.float(), labels[labels != IGNORED])
            return (loss, {"logits": logits}) if return_outputs else loss

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """Leave the card to the registry, which knows the lineage."""

    if device.precision == "bfloat16":
        for module in model.modules():
            # Under autocast the cast to the adapter's own float32 and back would only cost time.
            if hasattr(module, "cast_input_dtype_enabled"):
                module.cast_input_dtype_enabled = False
    rows = [{"input_ids": list(e.ids), "labels": e.labels} for batch in batches for e in batch]
    return AnswerTrainer(
        model=model,
        args=_arguments(config, device, checkpoints),
        train_dataset=datasets.Dataset.from_list(rows),
        data_collator=collate,
        processing_class=tokenizer,
    )


def _arguments(config: SftConfig, device: Device, checkpoints: Path) -> Any:
    from trl import SFTConfig as Arguments

    return Arguments(
        output_dir=str(checkpoints),
        max_steps=config.steps,
        per_device_train_batch_size=config.batch,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(config.warmup * config.steps),
        weight_decay=0.0,
        logging_steps=1,
        save_steps=config.checkpoint_every,
        save_total_limit=2,
        seed=config.seed,
        use_cpu=not device.cuda,
        # Both are on by default, and both are slow on a CPU; the precision is set above, for what gains from it.
        bf16=False,
        gradient_checkpointing=None,
        activation_checkpointing=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        train_sampling_strategy="sequential",
        dataset_kwargs={"skip_prepare_dataset": True},
    )


def _reporter(batches: Sequence[Sequence[Example]], on_step: OnStep) -> TrainerCallback:
    from transformers.trainer_callback import TrainerCallback

    sizes = [sum(len(example.ids) for example in batch) for batch in batches]

    class Reporter(TrainerCallback):  # type: ignore[misc]
        """Hands each step's figures on."""

        begun = 0.0
        first = 0

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.begun, self.first = time.monotonic(), state.global_step

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if logs and "loss" in logs:
                seen = sum(sizes[self.first : state.global_step])
                elapsed = time.monotonic() - self.begun
                rate, norm = float(logs.get("learning_rate", 0)), float(logs.get("grad_norm", 0))
                on_step(StepReport(state.global_step, float(logs["loss"]), rate, norm, seen, elapsed))

    return Reporter()


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
