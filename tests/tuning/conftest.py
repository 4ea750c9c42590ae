"""A llama small enough to be trained in a test: random weights, byte-level tokens, a chat template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

HIDDEN, HEADS, KV_HEADS, LAYERS, WIDE = 64, 4, 2, 2, 96
TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def letters() -> list[str]:
    """The 256 printable signs that stand for bytes in a byte-level vocabulary."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(code) for code in plain] + [chr(256 + number) for number in range(256 - len(plain))]


def write_llama(path: Path, *, seed: int = 0, architecture: str = "llama", printable: bool = False) -> Path:
    """Write a random llama in f32 as GGUF; one that is `printable` says letters, digits and marks of ASCII alone."""
    import gguf

    draw = np.random.default_rng(seed)
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokens = [*marks, *letters(), "th"]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_string("general.license", "apache-2.0")
    writer.add_context_length(512)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(WIDE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * (len(tokens) - 3))
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)

    def add(name: str, *shape: int) -> None:
        scale = 0.35 if "embd" in name else 1.2 / np.sqrt(shape[-1])
        data = np.ones(shape) if len(shape) == 1 else draw.normal(size=shape) * scale
        if printable and "embd" in name:
            data[: len(marks)] = data[len(marks) + 94 :] = 0  # what is never likeliest is never said
        writer.add_tensor(name, data.astype(np.float32))

    add("token_embd.weight", len(tokens), HIDDEN)
    add("output_norm.weight", HIDDEN)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        add(block + "attn_norm.weight", HIDDEN)
        add(block + "ffn_norm.weight", HIDDEN)
        add(block + "attn_q.weight", HIDDEN, HIDDEN)
        add(block + "attn_k.weight", HIDDEN // HEADS * KV_HEADS, HIDDEN)
        add(block + "attn_v.weight", HIDDEN // HEADS * KV_HEADS, HIDDEN)
        add(block + "attn_output.weight", HIDDEN, HIDDEN)
        add(block + "ffn_gate.weight", WIDE, HIDDEN)
        add(block + "ffn_up.weight", WIDE, HIDDEN)
        add(block + "ffn_down.weight", HIDDEN, WIDE)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="session")
def make_llama() -> Callable[..., Path]:
    """Write another tiny llama: `make_llama(path, seed=1)`."""
    return write_llama


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The GGUF file of a tiny llama."""
    return write_llama(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="session")
def tiny_folder(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its weights as the trainer takes them."""
    from mainspring.tuning.base import require_torch, trainable_folder

    require_torch()
    return trainable_folder(tiny, "0" * 64, tmp_path_factory.mktemp("cache"))
