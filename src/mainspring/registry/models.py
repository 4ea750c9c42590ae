"""Records of the registry: model versions with their files, and releases."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from mainspring.kernel.records import File, Record

FileRole = Literal["weights", "adapter", "peft", "merged", "tokenizer", "template", "config", "other"]
"""weights: a whole model; adapter: LoRA in GGUF; peft: LoRA in safetensors; merged: base and adapter in one."""

FilePath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$",
                                            max_length=200)]  # fmt: skip
"""Path within the model's folder: relative, and without `..`."""

ReleaseState = Literal["draft", "in_review", "approved", "rejected", "withdrawn"]


class ModelFile(Record):
    """One file of a model."""

    path: FilePath
    """Where it lies in an export."""
    sha256: File
    size: int = Field(ge=0)
    """Bytes."""
    role: FileRole


class ModelContent(Record):
    """What makes a model version what it is; two with the same content are the same version."""

    format: Literal["gguf", "lora", "safetensors", "onnx", "remote"]
    """lora: an adapter over `base`; remote: a provider's model, without files."""
    files: list[ModelFile] = Field(max_length=200)
    source: str = ""
    """Of a remote model, `provider/NAME:MODEL`: who serves it, and what that calls it."""
    base: str = ""
    """Exact reference of the model that an adapter belongs to."""
    license: str = Field(default="", max_length=200)
    """SPDX expression, or empty where it is not known."""
    chat_template: str = Field(default="", max_length=200_000)
    """Jinja template that turns messages into a prompt."""
    architecture: str = ""
    parameters: int = 0
    """Number of weights; of an adapter, its own."""
    context: int = 0
    """Longest context that the model was made for, in tokens; 0 where it is not known."""
    metadata: dict[str, Any] = {}
    """Facts about how it was made: the training settings, the parity check."""


class ModelVersion(ModelContent):
    """One version of a model."""

    ref: str
    name: str
    number: int
    sha256: str
    note: str
    created_at: datetime
    created_by: str
    aliases: list[str] = []
    """Aliases that point here now."""
    existed: bool = False
    """Whether identical content was there before, so that no new version was made."""


ProviderKind = Literal["openai", "anthropic"]
"""The dialect: OpenAI's chat completions, which most servers speak, or Anthropic's messages."""

RemoteId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$", max_length=200)]
"""What a provider calls a model."""

Connect = Annotated[float, Field(ge=0.1, le=60)]
Wait = Annotated[float, Field(ge=0.1, le=3600)]


class Patience(Record):
    """How long a provider may take, in seconds."""

    connect_seconds: Connect = 5.0
    first_token_seconds: Wait = 120.0
    """From the request to the first bytes of a stream."""
    between_seconds: Wait = 60.0
    """From some bytes of a stream to the next."""
    total_seconds: Wait = 600.0
    """For a whole answer."""


class Provider(Patience):
    """A server of models elsewhere, and how it is reached. Its key is never shown."""

    name: str
    kind: ProviderKind
    url: str
    """The base, such as `https://api.example.com/v1`."""
    keyed: bool
    """Whether a key is sealed here; it goes to this URL's host and nowhere else."""
    note: str
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str


class ProviderCheck(Record):
    """How a provider answered when it was asked for its models."""

    provider: str
    ok: bool
    status: int
    """The HTTP status, or 0 where nobody answered."""
    message: str
    milliseconds: float
    models: list[str]
    """What it calls its models: at most 1,000 of them."""


class FileCheck(Record):
    """Whether a stored file is what it was."""

    path: str
    sha256: str
    ok: bool
    reason: str = ""


class ModelCheck(Record):
    """Whether the files of a model version are what they were."""

    ref: str
    verified: bool
    files: list[FileCheck]


class ExportedFile(Record):
    """An archive in the file store, ready to be downloaded."""

    ref: str
    file: str
    """SHA-256 of the archive."""
    size: int
    name: str
    """Suggested file name."""


class Parameters(Record):
    """Generation parameters that a release pins; what is left out is the caller's choice."""

    max_tokens: Annotated[int, Field(ge=1, le=131_072)] | None = None
    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=100_000)] | None = None
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] | None = None
    stop: Annotated[list[Annotated[str, StringConstraints(max_length=200)]], Field(max_length=16)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    constrained: bool | None = None
    """Whether answers are held to the prompt's response schema."""


class ReleaseEvent(Record):
    """Something that happened to a release."""

    kind: Literal["created", "checked", "approved", "rejected", "withdrawn"]
    state: ReleaseState
    """The state that it led to."""
    member: str
    key_id: str
    at: datetime
    note: str
    detail: dict[str, Any]
    """For `checked`, the gate's report."""


class Release(Record):
    """Exact versions that are served together, and what was decided about them."""

    ref: str
    name: str
    number: int
    sha256: str
    model: str
    """Exact reference, as are the two that follow."""
    prompt: str
    """Empty where the caller's messages go to the model as they are."""
    guard: str
    """Empty where nothing is guarded."""
    parameters: Parameters
    state: ReleaseState
    author: str
    """Who made it, and so may not approve it."""
    note: str
    created_at: datetime
    changed_at: datetime
    """When its state last changed."""
    existed: bool = False
    events: list[ReleaseEvent] = []
    """What happened to it, oldest first; lists of releases leave it out."""
