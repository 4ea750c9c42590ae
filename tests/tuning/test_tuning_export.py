"""Export: names, the rotary permutation, and that what was trained is what a file says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.kernel.errors import Invalid
from mainspring.registry.gguf_header import read_header
from mainspring.tuning.adapter import add_adapter, load_adapter, save_adapter
from mainspring.tuning.base import load_base, trainable_folder
from mainspring.tuning.export import check_bound, export_adapter, export_merged, permute, tensor_name
from mainspring.tuning.models import SftConfig

pytestmark = pytest.mark.filterwarnings("ignore")


def tensors(path: Path) -> dict[str, np.ndarray]:
    from gguf import GGUFReader

    return {tensor.name: np.array(tensor.data, dtype=np.float32) for tensor in GGUFReader(path).tensors}


@pytest.fixture
def tuned(tiny_folder: Path, tmp_path: Path) -> Path:
    """A saved adapter with weights as if it had learned."""
    import torch

    torch.manual_seed(1)
    model = add_adapter(load_base(tiny_folder, "float32"), SftConfig(rank=4, alpha=8, layers=1))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    save_adapter(model, tmp_path / "adapter", "model/tiny@1", tiny_folder)
    return tmp_path / "adapter"


def test_the_permutation_brings_halves_side_by_side() -> None:
    rows = np.arange(8, dtype=np.float32)[:, None]
    assert permute(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    with pytest.raises(Invalid):
        permute(rows, 3)


@pytest.mark.parametrize("name", ["model.layers.0.mlp.experts.3", "transformer.h.0.attn", "model.layers.x.mlp.up_proj"])
def test_an_unknown_module_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="no tensor"):
        tensor_name(name)


def test_a_merged_export_of_the_base_is_the_base(tiny: Path, tiny_folder: Path, tmp_path: Path) -> None:
    export_merged(load_base(tiny_folder, "float32"), tiny, tmp_path / "same.gguf", "same")
    before, after = tensors(tiny), tensors(tmp_path / "same.gguf")
    assert before.keys() == after.keys()
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, atol=2e-3, err_msg=name)
    metadata = read_header(tmp_path / "same.gguf").metadata
    original = read_header(tiny).metadata
    assert metadata["tokenizer.ggml.tokens"] == original["tokenizer.ggml.tokens"]
    assert metadata["tokenizer.chat_template"] == original["tokenizer.chat_template"]
    assert metadata["general.name"] == "same"


def test_the_adapter_file_adds_to_the_base_what_merging_adds(
    tiny: Path, tiny_folder: Path, tuned: Path, tmp_path: Path
) -> None:
    header = export_adapter(tuned, tiny, tmp_path / "adapter.gguf")
    assert header.metadata["adapter.lora.alpha"] == 8.0
    assert "<|im_start|>" in header.metadata["tokenizer.chat_template"]
    merged = load_adapter(load_base(tiny_folder, "float32"), tuned).merge_and_unload()
    export_merged(merged, tiny, tmp_path / "merged.gguf", "merged")
    base, sides, whole = tensors(tiny), tensors(tmp_path / "adapter.gguf"), tensors(tmp_path / "merged.gguf")
    changed = {name.rpartition(".lora_")[0] for name in sides}
    assert len(changed) == 7, "the seven projections of the one layer"
    for name in base:
        expected = base[name]
        if name in changed:
            expected = expected + 8.0 / 4.0 * sides[f"{name}.lora_b"] @ sides[f"{name}.lora_a"]
            assert not np.allclose(expected, base[name], atol=1e-3)
        np.testing.assert_allclose(whole[name], expected, atol=3e-3, err_msg=name)


def test_the_saved_adapter_names_its_base_and_brings_the_template(tuned: Path) -> None:
    config = json.loads((tuned / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "model/tiny@1"
    assert (tuned / "chat_template.jinja").read_text().startswith("{% for m in messages %}")
    assert not list(tuned.glob("*.bin")), "nothing that is a pickle"


def test_an_adapter_that_learned_nothing_is_refused(tiny: Path, tiny_folder: Path, tmp_path: Path) -> None:
    model = add_adapter(load_base(tiny_folder, "float32"), SftConfig(rank=4, layers=1))
    save_adapter(model, tmp_path / "adapter", "model/tiny@1", tiny_folder)
    with pytest.raises(Invalid, match="changes nothing"):
        export_adapter(tmp_path / "adapter", tiny, tmp_path / "adapter.gguf")


def test_an_adapter_whose_keys_find_no_place_is_refused(tiny_folder: Path, tuned: Path) -> None:
    from safetensors.numpy import load_file, save_file

    state: dict[str, Any] = load_file(tuned / "adapter_model.safetensors")
    renamed = {key.replace("model.model.layers", "model.layers"): value for key, value in state.items()}
    save_file(renamed, tuned / "adapter_model.safetensors")
    with pytest.raises(Invalid, match="found no place"):
        load_adapter(load_base(tiny_folder, "float32"), tuned)


def test_matrices_that_do_not_fit_the_base_are_refused(tiny: Path, tuned: Path, tmp_path: Path) -> None:
    adapter = export_adapter(tuned, tiny, tmp_path / "adapter.gguf")
    base = read_header(tiny)
    assert check_bound(adapter, base) == 7
    without = type(base)(3, base.metadata, tuple(t for t in base.tensors if "attn_q" not in t.name), 0)
    with pytest.raises(Invalid, match="attn_q"):
        check_bound(adapter, without)
    with pytest.raises(Invalid, match="no matrices"):
        check_bound(type(base)(3, {}, (), 0), base)


def test_another_architecture_cannot_be_tuned(make_llama: Callable[..., Path], tmp_path: Path) -> None:
    other = make_llama(tmp_path / "other.gguf", architecture="qwen2")
    with pytest.raises(Invalid, match="qwen2"):
        trainable_folder(other, "1" * 64, tmp_path / "cache")
