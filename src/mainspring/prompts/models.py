"""What prompts are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from mainspring.kernel.ports import JSON
from mainspring.kernel.records import Record

VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
VariableType = Literal["text", "integer", "number", "boolean", "list", "object", "json"]
PromptKind = Literal["chat", "text"]
Template = Annotated[str, StringConstraints(max_length=1_000_000)]


class Message(Record):
    """One message of a chat; in a template its content may hold `{{variable}}` and blocks.

    A template's message has at most 100,000 characters, one that is filled in 1,000,000.
    """

    role: Literal["system", "user", "assistant"]
    content: Template


class Variable(Record):
    """A variable of a template."""

    type: VariableType = "text"
    required: bool = True
    """False lets a value be left out: it is then shown as nothing, and does not hold in a condition."""
    default: JSON = None
    """Taken where no value is given; null is no default."""
    description: Annotated[str, StringConstraints(max_length=1000)] = ""

    @property
    def needed(self) -> bool:
        """Whether a value must be given."""
        return self.required and self.default is None

    def stored(self) -> dict[str, JSON]:
        """Return what is stored: what versions have always held, and the rest where it says something."""
        kept = self.model_dump()
        return kept if not self.required else {name: value for name, value in kept.items() if name != "required"}


class ToolFunction(Record):
    """A function that a model may call."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: Annotated[str, StringConstraints(max_length=20_000)] = ""
    parameters: dict[str, JSON] = {"type": "object", "properties": {}}
    """JSON schema of the arguments: an object."""
    strict: bool = False


class Tool(Record):
    """A tool in the form of OpenAI's chat completions."""

    type: Literal["function"] = "function"
    function: ToolFunction


class Parameters(Record):
    """How a model is to generate; what is null is left to whoever asks."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=32_768)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    stop: Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=100)]], Field(max_length=8)] = []
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=1000)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None

    def stored(self) -> dict[str, JSON]:
        """Return what is stored: what versions have always held, and the rest where it is set."""
        always = ("temperature", "max_tokens", "seed", "stop")
        return {name: value for name, value in self.model_dump().items() if name in always or value is not None}


class Included(Record):
    """Another prompt's text as it was when this version was made."""

    text: str
    blocks: bool = False
    """Whether the text holds blocks, or `{%` stands for itself."""


class PromptVersion(Record):
    """One version of a prompt."""

    ref: str
    """`prompt/name@number`."""
    name: str
    number: int
    sha256: str
    kind: PromptKind = "chat"
    messages: list[Message]
    """Of a text prompt: the text as the one message of a user."""
    blocks: bool = False
    """Whether the messages hold blocks, or `{%` stands for itself."""
    includes: dict[str, Included] = {}
    """Exact references to what the messages include, directly or not."""
    variables: dict[str, Variable]
    """Every variable that the messages use, declared or not."""
    tools: list[Tool] = []
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

    def tools_sent(self) -> list[dict[str, Any]]:
        """Return the tools as a model is sent them."""
        return [
            {
                "type": tool.type,
                "function": {
                    **tool.function.model_dump(exclude_defaults=True),
                    "parameters": tool.function.parameters,
                },
            }
            for tool in self.tools
        ]

    def options_sent(self) -> dict[str, Any]:
        """Return parameters and tools as a model is sent them, by their OpenAI names."""
        held = {name: value for name, value in self.parameters.model_dump().items() if value not in (None, [])}
        return {**held, "tools": self.tools_sent()} if self.tools else held

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from mainspring.prompts.notebook import version_html

        return version_html(self)


class PromptCheck(Record):
    """What a commit of a draft would come to."""

    name: str
    sha256: str
    """Of the draft's content, with what it includes pinned as it would be now."""
    number: int | None
    """The version that has this content; null where a commit would make one."""
    latest: int | None
    """The latest version; null where there is none."""
    latest_sha256: str | None
    variables: dict[str, Variable] = {}
    """Every variable that the draft uses."""


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
    """Empty for a draft that is no version."""
    kind: PromptKind = "chat"
    messages: list[Message]
    text: str = ""
    """The text of a text prompt."""
    tools: list[Tool] = []
    response_schema: dict[str, JSON] | None = None
    parameters: Parameters


class DiffPart(Record):
    """One message, or another part of a prompt, in two versions."""

    title: str
    """`message 1 · system`, `variables`, `tools`, `schema` or `parameters`."""
    same: bool
    rows: list[tuple[str | None, str | None]]
    """Lines side by side; null where a version has none."""


class PromptDiff(Record):
    """What changed between two versions."""

    left: str
    right: str
    identical: bool
    lines: list[str]
    """Unified diff of the readable form of both."""
    parts: list[DiffPart] = []
    """The same side by side, part by part."""

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from mainspring.prompts.notebook import diff_html

        return diff_html(self)


class LabelProtection(Record):
    """A label that only some may move, in every prompt of the project."""

    label: str
    permission: str
    """What moving it needs, beside the right to move labels."""
    roles: list[str]
    """Roles that hold it."""
    protected_at: datetime
    protected_by: str


class ScoreMetric(Record):
    """One score of a prompt's calls: people's feedback, or what code or a model said."""

    name: str
    count: int
    mean: float | None = None
    """Of the numbers; null where there are none."""
    low: float | None = None
    """Lower end of the 95 % interval; null where there are too few for one."""
    high: float | None = None
    note: str = ""
    """How the interval was made, or why there is none."""
    labels: dict[str, int] = {}
    """How often each label was given, the 20 most frequent."""


class PromptMetrics(Record):
    """How one version of a prompt did in traffic; calls of the playground and of experiments are left out."""

    ref: str
    number: int
    labels: list[str]
    calls: int
    """At most the newest 5,000, out of 20,000 spans that name the version."""
    errors: int
    cost: float
    """US dollars, of all the calls together."""
    input_tokens: int
    output_tokens: int
    p50_ms: float | None
    """Median latency; null without calls."""
    p95_ms: float | None
    p99_ms: float | None
    first_at: datetime | None
    last_at: datetime | None
    scores: list[ScoreMetric]
