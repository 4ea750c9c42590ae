"""Operations on prompts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from mainspring.kernel import aliases, versions
from mainspring.kernel.aliases import AliasMove
from mainspring.kernel.errors import Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.ports import JSON
from mainspring.kernel.records import Cursor, Limit, Name, Page, Text
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.prompts import content, labels, metrics
from mainspring.prompts.content import Draft
from mainspring.prompts.diff import compare
from mainspring.prompts.models import (
    LabelProtection,
    Message,
    Parameters,
    PromptCheck,
    PromptDiff,
    PromptMetrics,
    PromptSummary,
    PromptVersion,
    RenderedPrompt,
    Template,
    Tool,
    Variable,
    VariableName,
)

Few = Annotated[int, Field(ge=1, le=50)]
"""How many versions one page of figures has."""
Word = Annotated[str, StringConstraints(max_length=128)]


class Prompts(Service):
    """Prompts: templates in versions that never change, and labels that move."""

    noun = "prompt"

    @operation("POST /prompts/{name}/versions", permission="prompt.write", mcp=True, status=201)
    def commit(
        self,
        name: Name,
        messages: list[Message] | None = None,
        *,
        text: Template = "",
        variables: dict[VariableName, Variable] | None = None,
        schema: dict[str, JSON] | None = None,
        tools: list[Tool] | None = None,
        parameters: Parameters | None = None,
        note: Text = "",
    ) -> PromptVersion:
        """Store a new version of a chat, or of a `text`; identical content returns the version that exists.

        Templates hold `{{variable}}`, `{% if %}`, `{% for %}` and `{% include "prompt/other@3" %}`, which is pinned to
        the version that it names now. A variable that is not declared is required. `schema` is the JSON schema of the
        answer. Raises Invalid for a malformed template or schema, TooLarge.
        """
        draft = Draft(messages, text, variables, schema, tools, parameters)
        with self.begin() as tx:
            return _shown(tx, versions.commit(tx, "prompt", name, content.build(tx, name, draft), note=note))

    @operation("GET /prompts", permission="prompt.read", mcp=True)
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[PromptSummary]:
        """List prompts by name, each with its latest version and its labels."""
        with self.read() as tx:
            found, following = versions.names(tx, "prompt", limit, cursor)
            items = [
                PromptSummary(
                    name=version.name,
                    latest=version.number,
                    labels=aliases.current(tx, "prompt", version.name),
                    updated_at=version.created_at,
                    updated_by=version.created_by,
                )
                for version in found
            ]
        return Page(items=items, next_cursor=following)

    @operation("GET /prompts/{name}", permission="prompt.read", mcp=True)
    def get(self, name: Name, *, selector: str = "") -> PromptVersion:
        """Show a prompt: its latest version, or the one that a number, a label or a hash selects."""
        with self.read() as tx:
            return load(tx, _ref(name, selector))

    @operation("GET /prompts/{name}/versions", permission="prompt.read", mcp=True)
    def versions(self, name: Name, *, limit: Limit = 100, cursor: Cursor = "") -> Page[PromptVersion]:
        """List a prompt's versions, newest first."""
        with self.read() as tx:
            found, following = versions.list_(tx, "prompt", name, limit, cursor)
            held = aliases.current(tx, "prompt", name)
            return Page(items=[content.record(version, held) for version in found], next_cursor=following)

    @operation("GET /prompts/{name}/diff", permission="prompt.read", mcp=True)
    def diff(self, name: Name, left: str, right: str = "") -> PromptDiff:
        """Show what changed from one version of a prompt to another, by default to the latest."""
        with self.read() as tx:
            old, new = load(tx, _ref(name, left)), load(tx, _ref(name, right))
        return compare(old, new)

    @operation("POST /prompts/{name}/render", permission="prompt.read", audit=False)
    def render(self, name: Name, variables: dict[str, JSON] | None = None, *, selector: str = "") -> RenderedPrompt:
        """Fill a prompt's variables in and show what a model would be sent.

        Raises Invalid for a value of a variable that the prompt does not have, NotFound.
        """
        with self.read() as tx:
            version = load(tx, _ref(name, selector))
        if strange := sorted(set(variables or {}) - set(version.variables)):
            has = f"It has {', '.join(sorted(version.variables))}." if version.variables else "It has none."
            raise Invalid(f"{version.ref} has no variable '{strange[0][:100]}'.", hint=has)
        return content.render(version, variables or {})

    @operation("POST /prompts/preview", permission="prompt.read", audit=False)
    def preview(
        self,
        messages: list[Message] | None = None,
        values: dict[str, JSON] | None = None,
        *,
        text: Template = "",
        variables: dict[VariableName, Variable] | None = None,
        schema: dict[str, JSON] | None = None,
        tools: list[Tool] | None = None,
        parameters: Parameters | None = None,
    ) -> RenderedPrompt:
        """Fill in a draft that is stored nowhere, and show what a model would be sent."""
        with self.read() as tx:
            return content.drafted(tx, Draft(messages, text, variables, schema, tools, parameters), values or {})

    @operation("POST /prompts/{name}/check", permission="prompt.read", audit=False)
    def check(
        self,
        name: Name,
        messages: list[Message] | None = None,
        *,
        text: Template = "",
        variables: dict[VariableName, Variable] | None = None,
        schema: dict[str, JSON] | None = None,
        tools: list[Tool] | None = None,
        parameters: Parameters | None = None,
    ) -> PromptCheck:
        """Say what a commit of a draft would come to, and store nothing. Raises as `commit` does."""
        draft = Draft(messages, text, variables, schema, tools, parameters)
        with self.read() as tx:
            return content.check(tx, name, draft)

    @operation("PUT /prompts/{name}/labels/{label}", permission="prompt.label")
    def label(self, name: Name, label: Name, selector: str = "", *, note: Text = "") -> AliasMove:
        """Point a label at a version: the latest, or the one that a number, another label or a hash selects.

        A protected label asks for the permission prompt.promote besides.
        """
        with self.begin() as tx:
            version = versions.resolve(tx, _ref(name, selector), "prompt")
            return labels.move(tx, name, label, version.number, note)

    @operation("DELETE /prompts/{name}/labels/{label}", permission="prompt.label")
    def unlabel(self, name: Name, label: Name, *, note: Text = "") -> AliasMove:
        """Take a label away; its history stays. A protected label asks for the permission prompt.promote besides."""
        with self.begin() as tx:
            versions.resolve(tx, _ref(name, ""), "prompt")
            return labels.move(tx, name, label, None, note)

    @operation("GET /prompts/{name}/history", permission="prompt.read", mcp=True)
    def history(self, name: Name, *, label: str = "", limit: Limit = 100, cursor: Cursor = "") -> Page[AliasMove]:
        """List the moves of a prompt's labels, or of one of them, newest first."""
        with self.read() as tx:
            versions.resolve(tx, _ref(name, ""), "prompt")
            found, following = aliases.history(tx, "prompt", name, label or None, limit, cursor)
        return Page(items=found, next_cursor=following)

    @operation("GET /prompts/{name}/metrics", permission="trace.read", mcp=True)
    def metrics(
        self,
        name: Name,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        environment: Word = "",
        limit: Few = 10,
        cursor: Cursor = "",
    ) -> Page[PromptMetrics]:
        """Show what each version did in traffic: calls, errors, cost, latency, and scores with 95 % intervals."""
        with self.read() as tx:
            found, following = versions.list_(tx, "prompt", name, limit, cursor)
            held = aliases.current(tx, "prompt", name)
            shown = [content.record(version, held) for version in found]
            return Page(items=metrics.measure(tx, shown, since, until, environment), next_cursor=following)

    @operation("PUT /prompt-labels/{label}", permission="prompt.protect")
    def protect(self, label: Name) -> LabelProtection:
        """Protect a label in every prompt of the project: moving it then needs the permission prompt.promote."""
        with self.begin() as tx:
            return labels.protect(tx, label, True)

    @operation("DELETE /prompt-labels/{label}", permission="prompt.protect")
    def unprotect(self, label: Name) -> LabelProtection:
        """Let everybody move a label who may move labels; return the protection that it had."""
        with self.begin() as tx:
            return labels.protect(tx, label, False)

    @operation("GET /prompt-labels", permission="prompt.read", mcp=True)
    def protections(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[LabelProtection]:
        """List the labels that are protected, by name; those of protected environments are from the start."""
        with self.read() as tx:
            found = list(labels.protected(tx).values())
        return labels.page(found, limit, cursor)


def load(tx: Tx, ref: str) -> PromptVersion:
    """Return the prompt version that a reference names. Raises Invalid, NotFound."""
    return _shown(tx, versions.resolve(tx, ref, "prompt"))


def _ref(name: str, selector: str) -> str:
    return f"prompt/{name}@{selector}" if selector else f"prompt/{name}"


def _shown(tx: Tx, version: versions.Version) -> PromptVersion:
    return content.record(version, aliases.current(tx, "prompt", version.name))
