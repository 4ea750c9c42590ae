"""Adapter: LoRA matrices on a base, made, loaded with a check that they bound, and saved."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.kernel.errors import Invalid
from mainspring.tuning.base import PROJECTIONS
from mainspring.tuning.models import SftConfig

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def add_adapter(base: PreTrainedModel, config: SftConfig) -> PeftModel:
    """Put a fresh adapter on the last layers of a base; it changes nothing until it has learned."""
    from peft import LoraConfig, get_peft_model

    total = int(base.config.num_hidden_layers)
    first = total - min(config.layers or total, total)
    settings = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules=list(PROJECTIONS),
        layers_to_transform=list(range(first, total)),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(base, settings)


def load_adapter(base: PreTrainedModel, folder: Path) -> PeftModel:
    """Put a saved adapter on a base. Raises Invalid where a matrix of the file found no place, or the reverse."""
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from safetensors.torch import load_file

    settings = json.loads((folder / CONFIG).read_text())
    # It names the base by its reference, which is no path; the weights that are given are meant.
    settings["base_model_name_or_path"] = None
    model = get_peft_model(base, LoraConfig.from_peft_type(**settings))
    state = load_file(folder / WEIGHTS)
    outcome: Any = set_peft_model_state_dict(model, state)
    missing = [name for name in outcome.missing_keys if "lora_" in name]
    if outcome.unexpected_keys or missing:
        raise Invalid(
            f"The adapter does not fit its base: {len(outcome.unexpected_keys)} of its matrices found no place, "
            f"{len(missing)} places got none.",
            hint="Use the base that the adapter was trained on.",
        )
    model.eval()
    return model


def save_adapter(model: PeftModel, folder: Path, base: str, tokenizer_folder: Path) -> list[Path]:
    """Write the adapter in PEFT's format, with tokenizer and chat template; return the files.

    `base` is the reference that the configuration names, for a path of this machine would mean nothing elsewhere.
    """
    model.save_pretrained(folder, save_embedding_layers=False)
    settings = json.loads((folder / CONFIG).read_text())
    settings["base_model_name_or_path"] = base
    (folder / CONFIG).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    (folder / "README.md").unlink(missing_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if (tokenizer_folder / name).is_file():
            shutil.copyfile(tokenizer_folder / name, folder / name)
    return sorted(path for path in folder.iterdir() if path.is_file())
