"""The tokenizer and the header reader, on a small GGUF written here and on the real base model."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.kernel.errors import Invalid
from mainspring.registry.gguf_header import read_header
from mainspring.registry.pull import located
from mainspring.registry.tokenizer import load_tokenizer

TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def write_gguf(path: Path, *, template: str = TEMPLATE, pre: str = "smollm") -> Path:
    """A GGUF with one tensor and a byte-level vocabulary that knows one merge for each of `th` and `the`."""
    import gguf
    import numpy as np

    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324))]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    tokens = [*marks, *letters, "th", "the"]
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * (len(tokens) - 3))
    writer.add_token_merges(["t h", "th e"])
    writer.add_eos_token_id(2)
    writer.add_bos_token_id(1)
    writer.add_chat_template(template)
    writer.add_tensor("token_embd.weight", np.zeros((64, 8), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_control_tokens_count_once_and_text_comes_back(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write_gguf(tmp_path / "m.gguf"))
    text = "<|im_start|>the thé 12<|im_end|>"
    ids = tokenizer.encode(text)
    assert ids[0] == 1 and ids[-1] == 2
    assert ids[1] == tokenizer.vocabulary - 1, "'the' is one token by its two merges"
    assert tokenizer.decode(ids) == text
    assert tokenizer.counts(["the", "the the", ""]) == [1, 3, 0]
    assert tokenizer.context == 512


def test_messages_become_the_prompt_of_the_template(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write_gguf(tmp_path / "m.gguf"))
    messages = [{"role": "user", "content": "hi"}]
    assert tokenizer.render(messages, generate=True) == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize("template", ["{{ raise_exception('no') }}", "{{ messages.clear() }}", "{% if %}"])
def test_a_template_that_refuses_or_reaches_out_is_an_invalid_input(tmp_path: Path, template: str) -> None:
    tokenizer = load_tokenizer(write_gguf(tmp_path / "m.gguf", template=template))
    with pytest.raises(Invalid):
        tokenizer.render([{"role": "user", "content": "hi"}])


def test_another_kind_of_tokenizer_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="qwen35"):
        load_tokenizer(write_gguf(tmp_path / "m.gguf", pre="qwen35"))


def test_every_cut_of_a_gguf_is_refused(tmp_path: Path) -> None:
    whole = write_gguf(tmp_path / "m.gguf")
    data = whole.read_bytes()
    assert read_header(whole).parameters == 512
    for keep in [0, 3, 10, 200, len(data) // 2, len(data) - 1]:
        cut = tmp_path / f"cut{keep}.gguf"
        cut.write_bytes(data[:keep])
        with pytest.raises(Invalid):
            read_header(cut)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "x.gguf"
    other.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(Invalid, match="GGUF"):
        read_header(other)


@pytest.mark.model
def test_the_base_models_own_tokens() -> None:
    tokenizer = load_tokenizer(located("smollm2") / "model.gguf")
    # What llama.cpp's /tokenize answers for this text.
    assert tokenizer.encode("<|im_start|>user\nHello 123 wörld  x\n\n y") == [
        1, 4093, 198, 19556, 216, 33, 34, 35, 267, 29989, 400, 216, 1792, 1116, 329,
    ]  # fmt: skip
    assert tokenizer.vocabulary == 49152
