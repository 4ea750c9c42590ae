"""The OpenAI protocol's lists: embeddings and models."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from mainspring.serving.protocols.base import Short, Text

if TYPE_CHECKING:
    pass

if TYPE_CHECKING:
    import numpy as np


class EmbeddingsBody(Struct, kw_only=True):
    """The body of `POST /v1/embeddings`."""

    model: Short
    input: Text | Annotated[list[Text], Meta(min_length=1, max_length=2048)]
    encoding_format: str = "float"
    dimensions: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    user: Short | None = None

    @property
    def texts(self) -> list[str]:
        """The texts."""
        return [self.input] if isinstance(self.input, str) else self.input


def embeddings(vectors: np.ndarray, *, model: str, tokens: int, encoding: str) -> dict[str, Any]:
    """Return embeddings of shape (n, dimensions), as numbers or as base64 of little-endian float32."""

    def shown(row: np.ndarray) -> Any:
        if encoding == "base64":
            return base64.b64encode(row.astype("<f4").tobytes()).decode()
        return [float(value) for value in row]

    data = [{"object": "embedding", "index": index, "embedding": shown(row)} for index, row in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def models(names: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """Return the list of models: names and when each was made, in Unix seconds."""
    data = [{"id": name, "object": "model", "created": created, "owned_by": "mainspring"} for name, created in names]
    return {"object": "list", "data": data}
