"""TrainerLogLikelihood: given answers scored in the trainer's runtime, for perplexity.

Named so because the server does not return the log-probabilities of a prompt: these figures come from the weights as
the trainer computes them, dequantised, not from the engine that serves.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.kernel.errors import Invalid
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import JSON, LogLikelihoodReply
from mainspring.registry import ModelVersion, engine_spec, load
from mainspring.registry.tokenizer import load_tokenizer
from mainspring.tuning.adapter import CONFIG, WEIGHTS, load_adapter
from mainspring.tuning.base import load_base, require_torch, trainable_folder
from mainspring.tuning.device import Device, choose_device, keep_freed_memory
from mainspring.tuning.examples import encode
from mainspring.tuning.sft import score_answers


class TrainerLogLikelihood:
    """The LogLikelihood port over the weights that training uses; keeps the model that was asked for last."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._busy = threading.Lock()
        self._held: tuple[str, Any, Device] | None = None

    def score(self, model: str, rows: Sequence[Sequence[Mapping[str, JSON]]]) -> list[LogLikelihoodReply]:
        """Score the last (assistant) message of each conversation under a model reference.

        Raises NotFound, Invalid for a model that the trainer cannot load, MissingExtra without the extra `tune`.
        """
        require_torch()
        with self._platform.read() as tx:
            found = load(tx, model)
            gguf = self._platform.files.path(engine_spec(tx, found).base)
        tokenizer = load_tokenizer(gguf)
        examples = [encode(tokenizer, str(index), messages) for index, messages in enumerate(rows)]
        with self._busy:
            # The number of threads belongs to the calling thread, so it is set at every call.
            device = self._held[2] if self._held else choose_device()
            device = choose_device(device.precision, device.threads)
            if self._held is None or self._held[0] != found.ref:
                self._held = None
                self._held = (found.ref, load_model(self._platform, found, device), device)
            scored = score_answers(self._held[1], examples, device)
        return [LogLikelihoodReply(total=sum(one.logprobs), tokens=len(one.logprobs)) for one in scored]


def cache_folder(platform: Platform) -> Path:
    """Return where converted base models are kept; it may be emptied at any time that nothing is tuned."""
    return platform.home / "cache" / "bases"


def load_model(platform: Platform, model: ModelVersion, device: Device) -> Any:
    """Load a registered model as the trainer computes it: its base, and its adapter where it has one.

    Raises Invalid for an adapter that was not exported in PEFT's format too.
    """
    keep_freed_memory()
    with platform.read() as tx:
        spec = engine_spec(tx, model)
    folder = trainable_folder(platform.files.path(spec.base), spec.base, cache_folder(platform))
    base = load_base(folder, device.precision, cuda=device.cuda)
    if model.format == "gguf":
        base.eval()
        return base
    files = {Path(file.path).name: file.sha256 for file in model.files if file.role in ("peft", "config")}
    if CONFIG not in files or WEIGHTS not in files:
        raise Invalid(f"{model.ref} has no adapter in PEFT's format.", hint="The trainer cannot read a GGUF adapter.")
    with tempfile.TemporaryDirectory(dir=cache_folder(platform)) as scratch:
        for name in (CONFIG, WEIGHTS):
            (Path(scratch) / name).symlink_to(platform.files.path(files[name]).absolute())
        return load_adapter(base, Path(scratch))
