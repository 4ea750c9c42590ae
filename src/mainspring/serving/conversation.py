"""Conversation: the client's messages put into a release's prompt.

The client's last user message is the value of the prompt's variable: of `input` where the prompt has a variable of
that name, else of the only one that has neither a value nor a default. Values for others come with the request, as
`variables`. Earlier turns stand between the prompt's examples and its last message. A prompt without variables goes
before the client's messages as it is. System messages are the release's alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON
from mainspring.prompts import PromptVersion, render
from mainspring.serving.models import Message


def converse(prompt: PromptVersion, messages: Sequence[Message], values: Mapping[str, JSON]) -> list[dict[str, Any]]:
    """Return the messages for the engine. Raises Invalid where a variable has no value, or a system message is sent."""
    sent = [dict(message) for message in messages]
    if any(message["role"] == "system" for message in sent):
        raise Invalid("This release brings its own system message.", hint="Send user and assistant messages only.")
    if not prompt.variables:
        return [*_rendered(prompt, {}), *sent]
    values = dict(values)
    main = _main_variable(prompt, values)
    if main:
        if not sent or sent[-1]["role"] != "user":
            raise Invalid("The last message must be the user's.", hint=f"It becomes the prompt's variable '{main}'.")
        values[main] = sent.pop()["content"]
    *before, last = _rendered(prompt, values)
    return [*before, *sent, last]


def _rendered(prompt: PromptVersion, values: Mapping[str, JSON]) -> list[dict[str, Any]]:
    return [message.model_dump() for message in render(prompt, values).messages]


def _main_variable(prompt: PromptVersion, given: Mapping[str, JSON]) -> str:
    """Return the variable that the last user message fills, or nothing where the request gives them all."""
    missing = [name for name, variable in prompt.variables.items() if name not in given and variable.default is None]
    if "input" in prompt.variables and "input" not in given:
        return "input"
    if len(missing) > 1:
        raise Invalid(
            f"The prompt's variables {', '.join(missing)} have no values.",
            hint='Send them in the body as "variables": {"name": "value"}.',
        )
    return missing[0] if missing else ""
