"""Conversation: somebody's messages put into a prompt, the same way when it is evaluated and when it is served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON
from mainspring.prompts.content import render
from mainspring.prompts.models import Message, PromptVersion


def converse(prompt: PromptVersion, messages: Sequence[Message], values: Mapping[str, JSON]) -> list[Message]:
    """Return the messages for a model.

    The last user message is the value of the variable `input` where the prompt has one, else of its only variable that
    has neither value nor default. Earlier turns stand between the prompt's examples and its last message. A prompt
    that no message fills goes before the messages as it is. Raises Invalid where a variable has no value, or where
    a system message is among the messages: it is the prompt's alone.
    """
    asked = messages[-1].content if messages else ""
    before, last = frame(prompt, [message.role for message in messages], asked, values)
    return [*before, *messages] if last is None else [*before, *messages[:-1], last]


def frame(
    prompt: PromptVersion, roles: Sequence[str], asked: str, values: Mapping[str, JSON]
) -> tuple[list[Message], Message | None]:
    """Return what stands before a conversation, and what takes the place of its last message, or None.

    `roles` are those of the conversation's messages, whatever these hold besides; `asked` is the last one's text.
    Raises Invalid as `converse` does.
    """
    if "system" in roles:
        raise Invalid("The prompt brings its own system message.", hint="Send user and assistant messages only.")
    main = _main_variable(prompt, values)
    if not main:
        return render(prompt, values).messages, None
    if not roles or roles[-1] != "user":
        raise Invalid("The last message must be the user's.", hint=f"It becomes the prompt's variable '{main}'.")
    *before, last = render(prompt, {**values, main: asked}).messages
    return before, last


def _main_variable(prompt: PromptVersion, given: Mapping[str, JSON]) -> str:
    """Return the variable that the last user message fills; empty where there is none."""
    if "input" in prompt.variables and "input" not in given:
        return "input"
    missing = [name for name, variable in prompt.variables.items() if name not in given and variable.needed]
    if len(missing) > 1:
        named = ", ".join(f"'{name}'" for name in missing)
        raise Invalid(f"The prompt's variables {named} got no value.", hint="Give them, or defaults.")
    return missing[0] if missing else ""
