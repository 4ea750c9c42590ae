"""Records of tuning: its settings, and what comes of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mainspring.kernel.records import Record, RefText

Precision = Literal["auto", "float32", "bfloat16"]
"""Arithmetic of the frozen base while training; `auto` measures which is faster here."""


class SftConfig(Record):
    """Settings of a supervised fine-tuning with LoRA (Hu et al. 2021, arXiv:2106.09685)."""

    steps: Annotated[int, Field(ge=1, le=100_000)] = 70
    """Optimiser steps."""
    batch: Annotated[int, Field(ge=1, le=256)] = 8
    """Rows in each step."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 7e-4
    """At its peak; it warms up linearly and falls along a cosine."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.06
    """Share of the steps that warm up."""
    rank: Annotated[int, Field(ge=1, le=256)] = 16
    alpha: Annotated[float, Field(gt=0, le=1024)] = 32.0
    """The adapter is scaled by alpha / rank."""
    layers: Annotated[int, Field(ge=0, le=1000)] = 15
    """How many of the last layers get an adapter; 0 for all."""
    max_tokens: Annotated[int, Field(ge=16, le=131_072)] = 512
    """Rows that are longer are left out, and counted."""
    prompt: RefText | None = None
    """Prompt version that rows are put into, as a release serves them; none: rows are used as they are."""
    split: str = "train"
    """Rows of this split are learned; rows without a split are all learned."""
    validation_split: str = "validation"
    validation_rows: Annotated[int, Field(ge=0, le=10_000)] = 16
    """How many rows of the validation split tell the held-out loss before and after."""
    checkpoint_every: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Steps between checkpoints; a run that was cut off goes on from the last one."""
    seed: Annotated[int, Field(ge=0, lt=1 << 31)] = 0
    precision: Precision = "auto"
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Threads of the trainer; 0: one for each core that this process may use."""
    merged: bool = True
    """Whether base and adapter are exported as one f16 GGUF too."""
    parity: bool = True
    """Whether trainer and server are compared on the exported files."""
    parity_rows: Annotated[int, Field(ge=1, le=64)] = 3
    parity_tokens: Annotated[int, Field(ge=1, le=512)] = 32
    """Longest answer that is compared."""


class ParityReport(Record):
    """How far the server's probabilities are from the trainer's, for one exported format."""

    format: Literal["adapter", "merged"]
    prompts: int
    tokens: int
    """Answer tokens compared."""
    token_ids_equal: bool
    """Whether the server makes the same ids of every prompt as the trainer."""
    mean_difference: float
    """Mean absolute difference of log-probabilities, in nats."""
    max_difference: float
    tolerance_mean: float
    tolerance_max: float
    greedy_equal: int
    """Prompts to which trainer and server give the same greedy text; a tie within the rounding may go either way."""
    greedy_required: bool
    passed: bool
