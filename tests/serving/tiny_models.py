"""A llama and adapters for it that are small enough to be loaded within a test, and answer each in its own words."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from tests.tuning.conftest import HIDDEN, WIDE, write_llama

from mainspring.kernel.ports import Endpoint, EngineSpec
from mainspring.serving.engines import with_adapter

__all__ = ["ask", "write_adapter", "write_llama"]


def write_adapter(path: Path, seed: int) -> Path:
    """Write a LoRA adapter over the tiny llama that changes what it says."""
    import gguf

    draw = np.random.default_rng(1000 + seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 4.0)
    for layer in range(2):
        for name, width in (("attn_output", HIDDEN), ("ffn_down", WIDE)):
            stem = f"blk.{layer}.{name}.weight"
            writer.add_tensor(f"{stem}.lora_a", draw.normal(size=(4, width)).astype(np.float32))
            writer.add_tensor(f"{stem}.lora_b", draw.normal(scale=0.5, size=(HIDDEN, 4)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def ask(endpoint: Endpoint, spec: EngineSpec, text: str, **body: Any) -> dict[str, Any]:
    """Ask an engine for a few greedy tokens, with every adapter that it holds named."""
    asked = {"messages": [{"role": "user", "content": text}], "max_tokens": 8, "temperature": 0, **body}
    request = urllib.request.Request(
        f"{endpoint.url}/v1/chat/completions",
        data=json.dumps(dict(with_adapter(spec, endpoint, asked))).encode(),
        headers={"content-type": "application/json", "authorization": f"Bearer {endpoint.api_key}"},
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer
