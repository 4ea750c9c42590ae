"""Local models in safetensors, served by torch and transformers in a child process that speaks as llama.cpp's does.

The pool of `engine_llamacpp` starts it, restarts it and ends it. What it computes is exact rather than fast: requests
take turns, a token each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MODULE = "mainspring.backends.engine_transformers.child"
_ADAPTER = "adapter/"
_LIBRARIES = 512 << 20
"""Bytes of a process that has imported torch and transformers."""


def memory(files: Mapping[str, str], context: int, slots: int) -> int:
    """Return the bytes that a process takes at most: weights in 32 bits, keys and values of every slot, libraries."""
    config: dict[str, Any] = {}
    if "config.json" in files:
        config = json.loads(Path(files["config.json"]).read_text())
    weights = sum(Path(path).stat().st_size for name, path in files.items() if name.endswith(".safetensors"))
    doubled = 2 if str(config.get("dtype") or config.get("torch_dtype") or "float32") != "float32" else 1
    heads = int(config.get("num_attention_heads") or 1)
    size = int(config.get("head_dim") or int(config.get("hidden_size") or 0) // heads)
    grouped = int(config.get("num_key_value_heads") or heads)
    cache = 2 * 4 * int(config.get("num_hidden_layers") or 0) * grouped * size * context * slots
    return _LIBRARIES + weights * doubled + cache


__all__ = ["MODULE", "memory"]
