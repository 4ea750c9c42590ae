"""Embeddings: texts to vectors through the Embed port, with a trace as every call has."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainspring.kernel.access import Caller
from mainspring.kernel.errors import Invalid
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.serving.metering import Need, Payer
from mainspring.serving.models import Origin
from mainspring.serving.protocols.base import Ask, given
from mainspring.serving.protocols.lists import EmbeddingsBody

if TYPE_CHECKING:
    import numpy as np

_MARKS = 2
"""Tokens that a text is framed with."""
_CALLED = {"all-MiniLM-L6-v2": "embed-minilm"}
"""Other names of embedding models."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of shape (texts, dimensions), and the span of the call."""

    vectors: np.ndarray
    tokens: int
    span: Span


def check(body: EmbeddingsBody) -> list[str]:
    """Return the texts to embed. Raises Invalid for what is not supported."""
    if body.encoding_format not in ("float", "base64"):
        raise Invalid("encoding_format is float or base64.", param="encoding_format")
    if not all(body.texts):
        raise Invalid("A text is empty.", hint="Leave it out.", param="input")
    return body.texts


def is_embedded(platform: Platform, model: str) -> bool:
    """Tell whether a name means the embedding model that is built in."""
    return platform.embed_port is not None and _CALLED.get(model, model) == platform.embed.name


def _check_size(dimensions: int | None, vectors: np.ndarray) -> None:
    """Refuse another number of dimensions: the model was not trained to have its vectors cut."""
    size = int(vectors.shape[1])
    if dimensions not in (None, size):
        hint = "Leave it out, or ask a provider's model."
        raise Invalid(f"This model makes vectors of {size} dimensions.", hint=hint, param="dimensions")


def asked(body: EmbeddingsBody, texts: Sequence[str]) -> Ask:
    """Return what a provider's model is asked."""
    return Ask(
        model=body.model,
        messages=[{"role": "user", "content": text} for text in texts],
        operation="embeddings",
        options=given(body, ("encoding_format", "dimensions")),
        user=body.user or "",
    )


def reservation(origin: Origin, caller: Caller, model: str, texts: Sequence[str]) -> tuple[str, Payer, Need]:
    """Return the call, who pays, and the most that it may use: no token is shorter than a byte, but for two marks."""
    payer = Payer(caller.project, caller.environment, origin.key_id, origin.member, "", model, "mainspring")
    size = sum(len(text.encode("utf-8", "replace")) + _MARKS for text in texts)
    return f"{origin.trace_id}-{secrets.token_hex(8)}", payer, Need(requests=1, estimated=1, input_tokens=size)


def embed(platform: Platform, caller: Caller, origin: Origin, texts: Sequence[str], dimensions: int | None) -> Embedded:
    """Return the vectors of the texts; blocking. Raises Invalid for a number of dimensions that they do not have."""
    start = int(platform.clock.now().timestamp() * 1e9)
    began = time.perf_counter_ns()
    vectors = platform.embed.embed(texts)
    _check_size(dimensions, vectors)
    tokens = platform.embed.count(texts)
    span = Span(
        trace_id=origin.trace_id,
        span_id=secrets.token_hex(8),
        parent_id=origin.parent_id,
        project=caller.project,
        environment=caller.environment,
        name=f"embeddings {platform.embed.name}",
        kind="embeddings",
        service="mainspring",
        start_ns=start,
        end_ns=start + time.perf_counter_ns() - began,
        status="ok",
        model=platform.embed.name,
        provider="mainspring",
        session_id=origin.session_id,
        user_id=origin.user_id,
        input_tokens=tokens,
        input=list(texts),
        attributes={"mainspring.member": origin.member, "mainspring.key_id": origin.key_id},
    )
    return Embedded(vectors, tokens, span)
