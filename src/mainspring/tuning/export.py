"""Export: tuned weights as GGUF files that an engine loads, an adapter by itself or merged into its base.

llama's files keep the rows of the query and key projections in another order than the trainer does: the trainer
rotates the two halves of a head against each other (Su et al. 2021, arXiv:2104.09864, in the half-split form), the
engine rotates neighbours. So those rows, and the rows of their lora_B, are permuted on the way out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON
from mainspring.registry.gguf_header import GgufHeader, read_header
from mainspring.tuning.adapter import CONFIG, WEIGHTS

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGUFWriter
    from numpy.typing import NDArray

_BLOCK = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
_WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_MOSTLY_F16 = 1
_ADAPTER_PREFIX = "base_model.model."


def tensor_name(name: str) -> str:
    """Return llama.cpp's name of a module: `model.layers.3.self_attn.q_proj` is `blk.3.attn_q`. Raises Invalid."""
    if name in _WHOLE:
        return _WHOLE[name]
    parts = name.split(".", 3)
    if len(parts) == 4 and parts[:2] == ["model", "layers"] and parts[2].isdigit() and parts[3] in _BLOCK:
        return f"blk.{parts[2]}.{_BLOCK[parts[3]]}"
    raise Invalid(f"A llama has no tensor {name}.")


def permute(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Reorder the rows of a query or key projection, shape (heads * size, columns), from halves to neighbours.

    Within a head, row i of the first half and row i of the second become rows 2i and 2i + 1.
    """
    if len(rows) % (2 * heads):
        raise Invalid(f"{len(rows)} rows cannot be {heads} heads of two halves.")
    return rows.reshape(heads, 2, -1, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def export_adapter(folder: Path, base: Path, target: Path) -> GgufHeader:
    """Write an adapter in PEFT's format as a GGUF adapter for the GGUF file `base`; return its header.

    The chat template goes with it. Raises Invalid where a matrix does not fit the base, or the adapter does nothing.
    """
    from safetensors.numpy import load_file

    settings, header = json.loads((folder / CONFIG).read_text()), read_header(base)
    heads = _heads(header.metadata)
    writer = _writer(target, header.metadata, name=None)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(settings["lora_alpha"]))
    matrices: dict[str, Any] = {}
    for key, matrix in sorted(load_file(folder / WEIGHTS).items()):
        module, _, side = key.removeprefix(_ADAPTER_PREFIX).removesuffix(".weight").rpartition(".lora_")
        stem = tensor_name(module)
        if side == "B" and stem.rpartition(".")[2] in heads:
            matrix = permute(matrix, heads[stem.rpartition(".")[2]])  # noqa: PLW2901
        matrices[f"{stem}.weight.lora_{side.lower()}"] = matrix.astype("float32")
    for name, matrix in matrices.items():
        writer.add_tensor(name, matrix)
    _finish(writer)
    check_bound(read_header(target), header)
    if not any(matrix.any() for name, matrix in matrices.items() if name.endswith("lora_b")):
        raise Invalid("The adapter changes nothing: all of its B matrices are zero.", hint="Train it for longer.")
    return read_header(target)


def check_bound(adapter: GgufHeader, base: GgufHeader) -> int:
    """Return how many tensors of the base the adapter changes. Raises Invalid where a matrix does not fit one.

    An engine ignores what it does not know, so that an adapter with wrong names would serve the base silently.
    """
    shapes = {tensor.name: tensor.shape for tensor in base.tensors}
    sides = {tensor.name: tensor.shape for tensor in adapter.tensors}
    stems = {name.rpartition(".lora_")[0] for name in sides}
    for stem in stems:
        lower, upper, whole = sides.get(f"{stem}.lora_a"), sides.get(f"{stem}.lora_b"), shapes.get(stem)
        if whole is None:
            raise Invalid(
                f"The base has no tensor {stem} for the adapter to change.", hint="Use the adapter's own base."
            )
        fits = lower and upper and (lower[0], upper[1]) == whole and lower[1] == upper[0]
        if not fits:
            raise Invalid(f"The adapter's matrices for {stem}, {lower} and {upper}, do not fit its shape {whole}.")
    if not stems:
        raise Invalid("The adapter holds no matrices.")
    return len(stems)


def export_merged(model: Any, base: Path, target: Path, name: str) -> GgufHeader:
    """Write a merged model as f16 GGUF, with the metadata, tokenizer and chat template of `base`; return its header.

    `model` is a llama of the trainer with its adapter merged in. A head that is tied to the embedding is left out.
    """
    header = read_header(base)
    heads, tied = _heads(header.metadata), bool(model.config.tie_word_embeddings)
    writer = _writer(target, header.metadata, name=name)
    writer.add_type("model")
    writer.add_file_type(_MOSTLY_F16)
    for key, value in header.metadata.items():
        if not key.startswith(("general.", "GGUF.", "tokenizer.chat_template")):
            _copy(writer, key, value)
    for key, tensor in model.state_dict().items():
        module = key.removesuffix(".weight")
        if tied and module == "lm_head":
            continue
        stem, matrix = tensor_name(module), tensor.float().cpu().numpy()
        if stem.rpartition(".")[2] in heads:
            matrix = permute(matrix, heads[stem.rpartition(".")[2]])
        writer.add_tensor(f"{stem}.weight", matrix.astype("float32" if matrix.ndim == 1 else "float16"))
    _finish(writer)
    made = read_header(target)
    missing = {tensor.name for tensor in header.tensors} ^ {tensor.name for tensor in made.tensors}
    if missing:
        raise Invalid(f"The merged file and its base differ in tensors: {', '.join(sorted(missing)[:5])}.")
    return made


def _heads(metadata: Mapping[str, JSON]) -> dict[str, int]:
    if metadata.get("general.architecture") != "llama":
        raise Invalid("Only models of the llama architecture can be exported.")
    query = int(metadata["llama.attention.head_count"])
    return {"attn_q": query, "attn_k": int(metadata.get("llama.attention.head_count_kv", query))}


def _writer(target: Path, metadata: Mapping[str, JSON], *, name: str | None) -> GGUFWriter:
    from gguf import GGUFWriter

    writer = GGUFWriter(target, "llama")
    writer.add_name(name or f"{metadata.get('general.name', 'model')} adapter")
    for key in ("general.license", "general.quantization_version"):
        if key in metadata:
            _copy(writer, key, metadata[key])
    if template := metadata.get("tokenizer.chat_template"):
        writer.add_chat_template(template)
    return writer


def _copy(writer: GGUFWriter, key: str, value: JSON) -> None:
    """Write a value of a header; integers take the width that llama.cpp reads them in, by sign."""
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        (writer.add_uint32 if value >= 0 else writer.add_int32)(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)


def _finish(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
