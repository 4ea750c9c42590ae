"""What prompts are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mainspring.kernel.ports import JSON
from mainspring.kernel.records import Record

VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
VariableType = Literal["text", "integer", "number", "boolean", "json"]


class Message(Record):
    """One message of a chat; in a template its content may hold `{{variable}}`."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, StringConstraints(max_length=100_000)]


class Variable(Record):
    """A variable of a template."""

    type: VariableType = "text"
    default: JSON = None
    """Taken where no value is given; null makes the variable required."""
    description: Annotated[str, StringConstraints(max_length=1000)] = ""


class Parameters(Record):
    """How a model is to generate; what is null is left to whoever asks."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=32_768)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    stop: Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=100)]], Field(max_length=8)] = []


class PromptVersion(Record):
    """One version of a prompt."""

    ref: str
    """`prompt/name@number`."""
    name: str
    number: int
    sha256: str
    messages: list[Message]
    variables: dict[str, Variable]
    """Every variable that the messages use, declared or not."""
    response_schema: dict[str, JSON] | None = None
    """JSON schema that the answer should fit; whether it is enforced is up to the caller."""
    parameters: Parameters
    labels: list[str] = []
    """Labels that point at this version now."""
    note: str
    created_at: datetime
    created_by: str
    existed: bool = False
    """Whether the commit found identical content and made no new version."""


class PromptSummary(Record):
    """A prompt's name with its latest version and its labels."""

    name: str
    latest: int
    labels: dict[str, int]
    """Label to version number."""
    updated_at: datetime
    updated_by: str


class RenderedPrompt(Record):
    """A template filled in: what a model is sent."""

    ref: str
    messages: list[Message]
    response_schema: dict[str, JSON] | None = None
    parameters: Parameters


class PromptDiff(Record):
    """What changed between two versions."""

    left: str
    right: str
    identical: bool
    lines: list[str]
    """Unified diff of the readable form of both."""
