"""The head of a model card: the YAML that Hugging Face's hub reads (model card metadata of the hub's documentation)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainspring.registry.models import ModelVersion

_LIBRARY = {"gguf": "gguf", "lora": "peft", "safetensors": "transformers", "onnx": "onnx"}


def front_matter(model: ModelVersion, *, datasets: Sequence[str] = (), results: Sequence[dict[str, Any]] = ()) -> str:
    """Return the card's metadata between its two lines of dashes; `results` are entries of a `model-index`."""
    import yaml

    head: dict[str, Any] = {
        "license": model.license.lower() or "other",
        "library_name": _LIBRARY[model.format],
        "pipeline_tag": "feature-extraction" if model.format == "onnx" else "text-generation",
        "tags": ["mainspring", *([model.architecture] if model.architecture else [])],
    }
    if model.base:
        head["base_model"] = model.base
        head["base_model_relation"] = "adapter" if model.format == "lora" else "finetune"
    if datasets:
        head["datasets"] = list(datasets)
    if results:
        head["model-index"] = [{"name": model.name, "results": list(results)}]
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n"
