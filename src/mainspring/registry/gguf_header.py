"""GgufHeader: what a GGUF file says of itself, read without loading a weight."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MAX_COUNT = 1 << 24


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor's place in the file."""

    name: str
    shape: tuple[int, ...]
    """Dimensions, fastest first as GGUF writes them."""
    type: int
    """The number of the ggml type."""
    offset: int
    """Bytes from the start of the file."""
    nbytes: int


@dataclass(frozen=True)
class GgufHeader:
    """Metadata and tensor table of a GGUF file."""

    version: int
    metadata: dict[str, JSON]
    tensors: tuple[TensorInfo, ...]
    size: int
    """Size of the file in bytes."""

    @cached_property
    def parameters(self) -> int:
        """Number of weights over all tensors."""
        total = 0
        for tensor in self.tensors:
            count = 1
            for dimension in tensor.shape:
                count *= dimension
            total += count
        return total


def read_header(path: Path, *, check_extents: bool = True) -> GgufHeader:
    """Read the header of a GGUF file, version 2 or 3 (layout: ggml's docs/gguf.md).

    With `check_extents`, every tensor must lie within the file. Raises Invalid for anything that is no whole GGUF file.
    """
    size = path.stat().st_size
    with path.open("rb") as handle:
        try:
            header = _parse(handle, size)
        except (struct.error, EOFError, UnicodeDecodeError, KeyError, MemoryError, OverflowError) as error:
            raise Invalid(
                f"{path.name} is not a whole GGUF file: its header is cut short or damaged.", hint=_HINT
            ) from error
    if check_extents:
        end = max((tensor.offset + tensor.nbytes for tensor in header.tensors), default=0)
        if end > size:
            raise Invalid(f"{path.name} is truncated: its tensors need {end} bytes and it has {size}.", hint=_HINT)
    return header


_HINT = "Fetch or export the file again, and compare its SHA-256."


def _parse(handle: BinaryIO, size: int) -> GgufHeader:
    if handle.read(4) != b"GGUF":
        raise Invalid("The file does not begin as a GGUF file does.", hint=_HINT)
    (version,) = _unpack(handle, "I")
    if version not in (2, 3):
        raise Invalid(f"GGUF version {version} is not supported; versions 2 and 3 are.")
    tensor_count, pair_count = _unpack(handle, "QQ")
    if max(tensor_count, pair_count) > _MAX_COUNT:
        raise EOFError
    metadata: dict[str, JSON] = {}
    for _ in range(pair_count):
        key = _string(handle)
        (kind,) = _unpack(handle, "I")
        metadata[key] = _value(handle, kind)
    raw = [_tensor(handle) for _ in range(tensor_count)]
    alignment = int(metadata.get("general.alignment", 32)) or 32
    start = -(-handle.tell() // alignment) * alignment
    tensors = tuple(
        TensorInfo(name, shape, kind, start + offset, _nbytes(shape, kind)) for name, shape, kind, offset in raw
    )
    return GgufHeader(version=version, metadata=metadata, tensors=tensors, size=size)


def _take(handle: BinaryIO, count: int) -> bytes:
    data = handle.read(count)
    if len(data) != count:
        raise EOFError
    return data


def _unpack(handle: BinaryIO, layout: str) -> tuple[JSON, ...]:
    layout = "<" + layout
    return struct.unpack(layout, _take(handle, struct.calcsize(layout)))


def _string(handle: BinaryIO) -> str:
    (length,) = _unpack(handle, "Q")
    return _take(handle, length).decode("utf-8")


def _value(handle: BinaryIO, kind: int) -> JSON:
    if kind == _STRING:
        return _string(handle)
    if kind != _ARRAY:
        return _unpack(handle, _SCALARS[kind])[0]
    inner, length = _unpack(handle, "IQ")
    if length > _MAX_COUNT:
        raise EOFError
    if inner in (_STRING, _ARRAY):
        return [_value(handle, inner) for _ in range(length)]
    return list(_unpack(handle, f"{length}{_SCALARS[inner]}"))


def _tensor(handle: BinaryIO) -> tuple[str, tuple[int, ...], int, int]:
    name = _string(handle)
    (rank,) = _unpack(handle, "I")
    if rank > 8:
        raise EOFError
    shape = _unpack(handle, f"{rank}Q")
    kind, offset = _unpack(handle, "IQ")
    return name, shape, kind, offset


def _nbytes(shape: tuple[int, ...], kind: int) -> int:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    try:
        block, width = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except ValueError as error:
        raise Invalid(f"A tensor has the unknown ggml type {kind}.") from error
    count = 1
    for dimension in shape:
        count *= dimension
    return count // int(block) * int(width)
