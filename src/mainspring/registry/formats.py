"""Formats: which file is which, and whether it is whole. Nothing that can run code when it is read is accepted."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mainspring.kernel.errors import Invalid
from mainspring.registry.gguf_header import read_header

_SAFETENSORS_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2,
    "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1, "C64": 8,
}  # fmt: skip
_MAX_HEADER = 100 << 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file of weights says of itself."""

    kind: Literal["gguf", "gguf-adapter", "safetensors"]
    architecture: str = ""
    parameters: int = 0
    context: int = 0
    chat_template: str = ""
    license: str = ""
    title: str = ""


def inspect_weights(path: Path) -> Facts:
    """Tell what a file is, by its content and not by its name. Raises Invalid for a damaged or a refused one."""
    with path.open("rb") as file:
        head = file.read(16)
    if head[:4] == b"GGUF":
        return _gguf(path)
    if head[:2] == b"\x80\x02" or head[:4] == b"PK\x03\x04" or head[:1] == b"\x80":
        raise Invalid(
            "The file looks like a pickle or a PyTorch archive, which can run code when it is read.",
            hint="Convert it to safetensors or GGUF.",
        )
    return _safetensors(path)


def _gguf(path: Path) -> Facts:
    header = read_header(path)
    data = header.metadata
    architecture = str(data.get("general.architecture", ""))
    adapter = data.get("general.type") == "adapter"
    if not header.tensors:
        raise Invalid("The GGUF file holds no tensors.", hint="Import a file with weights.")
    return Facts(
        kind="gguf-adapter" if adapter else "gguf",
        architecture=architecture,
        parameters=header.parameters,
        context=int(data.get(f"{architecture}.context_length", 0) or 0),
        chat_template=str(data.get("tokenizer.chat_template", "")),
        license=_spdx(str(data.get("general.license", ""))),
        title=str(data.get("general.name", "")),
    )


def _spdx(license_name: str) -> str:
    known = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause"}
    return known.get(license_name.lower(), license_name)[:200]


def _safetensors(path: Path) -> Facts:
    """Check a safetensors file: 8 bytes of length, a JSON header, and tensors that fill the rest without a gap."""
    size = path.stat().st_size
    problem = Invalid("The file is not a whole GGUF or safetensors file.", hint="Export or copy it again.")
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            raise problem
        (length,) = struct.unpack("<Q", start)
        if length > min(_MAX_HEADER, size - 8):
            raise problem
        try:
            header: dict[str, Any] = json.loads(file.read(length))
        except (ValueError, RecursionError):
            raise problem from None
    if not isinstance(header, dict):
        raise problem
    count, end = 0, 0
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        try:
            shape, (low, high) = [int(n) for n in tensor["shape"]], tensor["data_offsets"]
            wanted = math.prod(shape) * _SAFETENSORS_BYTES[tensor["dtype"]]
            whole = min([0, *shape]) >= 0 and low == end and high - low == wanted
        except (KeyError, TypeError, ValueError):
            raise problem from None
        if not whole:
            raise problem
        count, end = count + math.prod(shape), int(high)
    if 8 + length + end != size or not count:
        raise Invalid(
            f"The safetensors file is cut short: its header announces {8 + length + end:,} bytes, it has {size:,}.",
            hint="Export or copy it again.",
        )
    return Facts(kind="safetensors", parameters=count)


def adapter_config(data: bytes) -> dict[str, Any]:
    """Read a PEFT `adapter_config.json`. Raises Invalid where it is none."""
    try:
        config = json.loads(data)
    except ValueError:
        config = None
    if not isinstance(config, dict) or not config.get("peft_type"):
        raise Invalid("The adapter's configuration is not valid.", hint="Give PEFT's adapter_config.json.")
    return config
