"""Canarying: a token hidden in the system prompt of one call, and what the guard has to know of that prompt."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from mainspring.safety import canary
from mainspring.safety.models import Policy
from mainspring.serving import parts
from mainspring.serving.models import Message

_SYSTEM = ("system", "developer")


def watches_prompt(policy: Policy) -> bool:
    """Tell whether a guard looks for the system prompt in answers."""
    return any(rule.detector == "canary" for rule in policy.rules)


def planted(policy: Policy, messages: Sequence[Message]) -> tuple[Policy, list[Message]]:
    """Return the policy that knows what an answer to these messages must not hold, and the messages to send.

    A new token goes to the end of the first system message where a rule says so, or into one of its own.
    """
    prompt = "\n".join(parts.text_of(message) for message in messages if message.get("role") in _SYSTEM)
    tokens: list[str] = []
    sent = list(messages)
    if any(rule.plant for rule in policy.rules):
        tokens.append(secrets.token_hex(10))
        sent = _with_line(sent, canary.line(tokens[0]))
    rules = [rule.with_secret(tokens, prompt) if rule.detector == "canary" else rule for rule in policy.rules]
    return policy.model_copy(update={"rules": rules}), sent


def _with_line(messages: list[Message], line: str) -> list[Message]:
    for at, message in enumerate(messages):
        if message.get("role") in _SYSTEM:
            content = message.get("content")
            longer = (
                [*content, {"type": "text", "text": line}] if isinstance(content, list) else f"{content or ''}{line}"
            )
            return [*messages[:at], {**message, "content": longer}, *messages[at + 1 :]]
    return [{"role": "system", "content": line.strip()}, *messages]
