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

__all__ = ["ask", "write_adapter", "write_bert", "write_llama"]


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


def write_bert(path: Path, *, width: int = 32) -> Path:
    """Write a random BERT with a vocabulary of single letters, which makes vectors of `width` numbers."""
    import gguf

    draw = np.random.default_rng(5)
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [*marks, *(f"\u2581{sign}" for sign in letters), *letters]
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(2)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(0)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(marks) + [1] * (len(tokens) - len(marks)))
    writer.add_token_type_count(2)
    for name, at in (("padding", 0), ("unknown", 1), ("bos", 2), ("eos", 3), ("seperator", 3), ("mask", 4)):
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", at)
    shapes = {"token_embd.weight": (len(tokens), width), "position_embd.weight": (64, width)}
    shapes |= {"token_types.weight": (2, width), "token_embd_norm.weight": (width,), "token_embd_norm.bias": (width,)}
    for name, out, into in (("attn_q", 1, 1), ("attn_k", 1, 1), ("attn_v", 1, 1), ("attn_output", 1, 1),
                            ("ffn_up", 2, 1), ("ffn_down", 1, 2)):  # fmt: skip
        shapes |= {f"blk.0.{name}.weight": (out * width, into * width), f"blk.0.{name}.bias": (out * width,)}
    for name in ("attn_output_norm", "layer_output_norm"):
        shapes |= {f"blk.0.{name}.weight": (width,), f"blk.0.{name}.bias": (width,)}
    for name, shape in shapes.items():
        data = np.ones(shape) if name.endswith("norm.weight") else draw.normal(size=shape) / np.sqrt(width)
        writer.add_tensor(name, data.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
