"""Tuner: one fine-tuning from rows to a registered model, in steps that a crash does not repeat."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from mainspring.data import rows as row_store
from mainspring.data.models import Row
from mainspring.evals.questions import ask
from mainspring.kernel import lineage, versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.jobs import Job
from mainspring.kernel.ports import EngineSpec
from mainspring.prompts import load as load_prompt
from mainspring.registry import ModelContent, ModelFile, ModelVersion, engine_spec, load, register
from mainspring.registry.models import FileRole
from mainspring.registry.tokenizer import Tokenizer, load_tokenizer
from mainspring.tuning import sft
from mainspring.tuning.adapter import CONFIG, WEIGHTS, add_adapter, load_adapter, save_adapter
from mainspring.tuning.base import load_base, load_fast_tokenizer, require_torch, trainable_folder
from mainspring.tuning.device import choose_device, keep_freed_memory
from mainspring.tuning.examples import Example, Messages, encode_rows, schedule
from mainspring.tuning.export import export_adapter, export_merged
from mainspring.tuning.loglikelihood import cache_folder
from mainspring.tuning.models import SftConfig
from mainspring.tuning.parity import check_parity

_ROLES: dict[str, FileRole] = {WEIGHTS: "peft", CONFIG: "config", "chat_template.jinja": "template"}


class Tuner:
    """The work of one `tune.sft` run; what it needs more than once is loaded once."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.config = SftConfig.model_validate(job.params["config"])
        self.name = str(job.params["name"])
        with job.read() as tx:
            self.base: ModelVersion = load(tx, str(job.params["base"]))
            self.spec: EngineSpec = engine_spec(tx, self.base)
            self.dataset = versions.resolve(tx, str(job.params["dataset"]), "dataset")
            self.prompt = load_prompt(tx, self.config.prompt) if self.config.prompt else None
        if self.base.format != "gguf":
            raise Invalid(f"{self.base.ref} is not a whole GGUF model.", hint="Tune the model below it.")
        require_torch()
        keep_freed_memory()

    @cached_property
    def gguf(self) -> Path:
        """The base's file."""
        return self.job.platform.files.path(self.spec.base)

    @cached_property
    def folder(self) -> Path:
        """The base's weights for the trainer."""
        return trainable_folder(self.gguf, self.spec.base, cache_folder(self.job.platform))

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The base's tokenizer."""
        return load_tokenizer(self.gguf)

    @cached_property
    def examples(self) -> dict[str, list[Example]]:
        """The encoded rows of `train` and `validation`, in the dataset's order."""
        return {part: encoded for part, (encoded, _) in self._encoded.items()}

    @cached_property
    def left_out(self) -> int:
        """Training rows that are too long."""
        return self._encoded["train"][1]

    @cached_property
    def batches(self) -> list[list[Example]]:
        """The batch of each step."""
        return schedule(self.examples["train"], self.config.batch, self.config.steps, self.config.seed)

    @cached_property
    def merged(self) -> Any:
        """The tuned model in float32, its adapter merged in."""
        return load_adapter(load_base(self.folder, "float32"), self._work("adapter")).merge_and_unload()

    @cached_property
    def _encoded(self) -> dict[str, tuple[list[Example], int]]:
        config, found = self.config, dict[str, list[tuple[str, Messages]]]()
        for row in row_store.read(self.job.platform.files, self.dataset.content):
            part = _part(row, config)
            if part == "train" or (part and len(found.get(part, [])) < config.validation_rows):
                found.setdefault(part, []).append((row.id, self._conversation(row)))
        return {
            part: encode_rows(self.tokenizer, found.get(part, []), config.max_tokens)
            for part in ("train", "validation")
        }

    def _conversation(self, row: Row) -> Messages:
        if not row.messages or row.messages[-1].role != "assistant":
            raise Invalid(
                f"Row {row.id} of {self.dataset.ref} does not end with an assistant's message.",
                hint="Supervised fine-tuning learns answers: import chat rows, or map a column to the answer.",
            )
        return [*ask(row, self.prompt).messages, {"role": "assistant", "content": row.messages[-1].content}]

    def train(self) -> dict[str, Any]:
        """Train from the last checkpoint on and write the adapter; return the figures."""
        job, config, started = self.job, self.config, time.monotonic()
        job.progress(0, config.steps, "loading the base")
        device = choose_device(config.precision, config.threads)
        rows, held = self.examples["train"], self.examples["validation"]
        batches = self.batches
        job.log(
            f"{len(rows)} rows to learn from ({self.left_out} left out as longer than {config.max_tokens} tokens), "
            f"{config.steps} steps of {config.batch}; {device.precision}, {device.threads} threads."
        )
        model = add_adapter(load_base(self.folder, device.precision, cuda=device.cuda), config)
        before = job.step("held-out loss of the base", lambda: sft.held_out_loss(model, held, device) if held else None)
        history = self._work("losses.jsonl")

        def on_step(report: sft.StepReport) -> None:
            with history.open("a") as file:
                file.write(json.dumps({"step": report.step, "loss": report.loss}) + "\n")
            job.progress(
                report.step,
                config.steps,
                f"step {report.step} of {config.steps}",
                loss=report.loss,
                learning_rate=report.learning_rate,
                gradient_norm=report.gradient_norm,
                tokens_per_second=report.tokens / max(report.seconds, 1e-9),
            )
            job.check_cancelled()

        fast = load_fast_tokenizer(self.gguf)
        begun = sft.train(model, fast, batches, config, device, self._work("checkpoints"), on_step)
        save_adapter(model, self._work("adapter"), self.base.ref, self.folder)
        after = sft.held_out_loss(model, held, device) if held else None
        losses = {int(one["step"]): float(one["loss"]) for one in map(json.loads, history.open())}
        return {
            "rows": len(rows),
            "rows_learned": len({example.row for batch in batches for example in batch}),
            "rows_left_out": self.left_out,
            "steps": config.steps,
            "resumed_from_step": begun,
            "tokens": sum(len(example.ids) for batch in batches for example in batch),
            "first_loss": losses.get(1),
            "last_loss": _mean([losses[step] for step in sorted(losses)[-5:]]),
            "held_out_loss": {"before": before, "after": after, "rows": len(held)},
            "precision": device.precision,
            "threads": device.threads,
            "seconds": round(time.monotonic() - started, 1),
        }

    def export(self) -> list[dict[str, Any]]:
        """Write the adapter as GGUF, and base and adapter merged; store every file and return what each is."""
        self.job.progress(self.config.steps, self.config.steps, "exporting")
        adapter, tuned = self._work("adapter"), self._work("adapter.gguf")
        export_adapter(adapter, self.gguf, tuned)
        files: list[tuple[Path, str, FileRole]] = [(tuned, "adapter.gguf", "adapter")]
        for path in sorted(adapter.iterdir()):
            files.append((path, f"peft/{path.name}", _ROLES.get(path.name, "tokenizer")))
        if self.config.merged:
            whole = self._work("merged.gguf")
            export_merged(self.merged, self.gguf, whole, self.name)
            files.append((whole, "merged-f16.gguf", "merged"))
        stored = []
        for path, shown, role in files:
            kept = self.job.platform.files.put(path)
            stored.append(ModelFile(path=shown, sha256=kept.sha256, size=kept.size, role=role).model_dump())
        return stored

    def parity(self, files: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Compare trainer and server on each exported GGUF; return the reports, those that failed included."""
        if not self.config.parity:
            return []
        prompts = self._prompts()
        reports = []
        for file in files:
            kind: Literal["adapter", "merged"] = "merged" if file["role"] == "merged" else "adapter"
            if file["role"] not in ("adapter", "merged"):
                continue
            self.job.progress(self.config.steps, self.config.steps, f"comparing trainer and server ({kind})")
            self.job.check_cancelled()
            spec = EngineSpec(self.spec.base, file["sha256"], self.spec.context, self.spec.slots)
            if kind == "merged":
                spec = EngineSpec(file["sha256"], "", self.spec.context, 1)
            engine = self.job.platform.engine
            report = check_parity(
                kind,
                self.merged,
                self.tokenizer,
                prompts,
                partial(engine.ensure, spec),
                adapter=spec.adapter,
                tokens=self.config.parity_tokens,
            )
            if kind == "merged":
                engine.stop(spec)
            self.job.log(
                f"Parity of the {kind}: {'passed' if report.passed else 'FAILED'}; log-probabilities differ by "
                f"{report.mean_difference:.4f} nats on average, {report.max_difference:.3f} at most, over "
                f"{report.tokens} tokens; greedy text equal for {report.greedy_equal} of {report.prompts}."
            )
            reports.append(report.model_dump())
        return reports

    def register(
        self, trained: dict[str, Any], files: Sequence[dict[str, Any]], parity: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Store the model version with its files and its lineage, the rows that it learned included."""
        config = self.config.model_dump(exclude_none=True)
        facts = {key: trained[key] for key in trained if key not in ("seconds", "resumed_from_step")}
        content = ModelContent(
            format="lora",
            files=[ModelFile.model_validate(file) for file in files],
            base=self.base.ref,
            license=self.base.license,
            chat_template=self.base.chat_template,
            architecture=self.base.architecture,
            parameters=self._adapter_size(),
            context=self.base.context,
            metadata={
                "method": "sft",
                "dataset": self.dataset.ref,
                "config": config,
                "training": facts,
                "parity": parity,
            },
        )
        learned = dict.fromkeys(example.row for batch in self.batches for example in batch)
        with self.job.begin() as tx:
            model = register(tx, self.name, content, run_id=self.job.run_id)
            inputs = [self.dataset.ref, self.base.ref, *([self.prompt.ref] if self.prompt else [])]
            lineage.link(tx, self.job.run_id, inputs=inputs, outputs=[model.ref])
            lineage.link_rows(tx, model.ref, [(row, "row", f"{self.dataset.ref}#{row}") for row in learned])
        return {"model": model.ref, "sha256": model.sha256}

    def _prompts(self) -> list[Messages]:
        """Return conversations without their answers, held-out ones where there are any."""
        wanted = {example.row for example in (self.examples["validation"] or self.examples["train"])}
        rows = row_store.read(self.job.platform.files, self.dataset.content)
        chosen = (ask(row, self.prompt).messages for row in rows if row.id in wanted)
        return list(islice(chosen, self.config.parity_rows))

    def _adapter_size(self) -> int:
        from mainspring.registry.gguf_header import read_header

        return read_header(self._work("adapter.gguf")).parameters

    def _work(self, name: str) -> Path:
        return self.job.workdir / name


def _part(row: Row, config: SftConfig) -> str:
    if row.split in ("", config.split):
        return "train"
    return "validation" if row.split == config.validation_split else ""


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
