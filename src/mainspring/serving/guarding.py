"""Guarding: a release's guard policy over everything that a client sends and a model answers. It fails closed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON
from mainspring.safety import detectors, guards
from mainspring.safety.models import GuardOutcome, Policy, Stage
from mainspring.serving.models import Message

_STRENGTH = ("allow", "log", "mask", "block")
_READ_BY_THE_MODEL = ("tools", "response_format")
"""Options whose text reaches the model, and so passes the guard."""


class Blocked(Invalid):
    """The guard policy refused what was sent."""

    code, status = "content_filter", 400


class Findings:
    """What a policy found in one call, without the text itself."""

    def __init__(self) -> None:
        self.action = "allow"
        self.hits: list[dict[str, Any]] = []

    def add(self, stage: Stage, outcome: GuardOutcome) -> None:
        """Take in the outcome of one text."""
        self.action = max(self.action, outcome.action, key=_STRENGTH.index)
        for hit in outcome.hits[:100]:
            self.hits.append({"stage": stage, "detector": hit.detector, "kind": hit.kind, "score": hit.score})


def guard_input(policy: Policy, messages: Sequence[Message], findings: Findings) -> list[Message]:
    """Return the messages to go on with, masked where the policy says so. Raises Blocked."""
    return [_guarded(policy, message, "input", findings) for message in messages]


def guard_options(policy: Policy, options: Mapping[str, JSON], findings: Findings) -> dict[str, JSON]:
    """Return the options to go on with: tools and schemas are read by the model too.

    Raises Blocked, also where a mask leaves something that is no JSON any more.
    """
    kept = dict(options)
    for name in _READ_BY_THE_MODEL:
        if name in kept:
            text = _apply(policy, json.dumps(kept[name], ensure_ascii=False), "input", findings)
            try:
                kept[name] = json.loads(text)
            except ValueError:
                findings.action = "block"
                raise Blocked(policy.message) from None
    return kept


def guard_values(policy: Policy, value: JSON, findings: Findings) -> JSON:
    """Return a value to go on with, keys included; a number with something to be masked becomes text.

    Raises Blocked.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {
            guard_values(policy, name, findings): guard_values(policy, item, findings) for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [guard_values(policy, item, findings) for item in value]
    text = str(value)
    guarded = _apply(policy, text, "input", findings)
    return value if guarded == text else guarded


def guard_together(policy: Policy, values: Sequence[JSON], findings: Findings) -> None:
    """Judge values together, by the detectors that judge a text as a whole: an order cut in two is still an order.

    Such a finding stands in no single value, so that a rule which masks refuses too. Raises Blocked.
    """
    rules = [rule for rule in guards.rules_for(policy, "input") if detectors.judges_whole(rule.detector)]
    texts = [text for value in values for text in _texts(value)]
    found = guards.findings(rules, "\n".join(texts), 0) if rules and len(texts) > 1 else []
    if not found:
        return
    action = guards.strongest(found)
    action = "block" if action == "mask" else action
    findings.add("input", GuardOutcome(action=action, hits=[hit for _, hit in found]))
    if action == "block":
        raise Blocked(policy.message)


def guard_filled(policy: Policy, text: str, source: str, findings: Findings) -> str:
    """Return a message of a prompt, filled in with values that were guarded one by one, to go on with.

    Here counts what the values make beside each other and beside the prompt's own words. What stands in `source`, the
    prompt's text before it was filled in, is its author's. Raises Blocked.
    """
    if text in source:
        return text
    rules = [rule for rule in guards.rules_for(policy, "input") if not detectors.judges_whole(rule.detector)]
    found = [
        (action, hit)
        for action, hit in guards.findings(rules, text, 0)
        if hit.kind == "error" or text[hit.start : hit.end] not in source
    ]
    if not found:
        return text
    action = guards.strongest(found)
    findings.add("input", GuardOutcome(action=action, hits=[hit for _, hit in found]))
    if action == "block":
        raise Blocked(policy.message)
    return guards.masked(text, found, 0, len(text))


def _texts(value: JSON) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = [part for pair in value.items() for part in pair]
    if isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def guard_calls(policy: Policy, calls: Sequence[Mapping[str, Any]], findings: Findings) -> list[Mapping[str, Any]]:
    """Return the tool calls that a model made, masked where the policy says so. Raises Blocked."""
    return [_guarded_call(policy, call, "output", findings) for call in calls]


def guard_output(policy: Policy, text: str, findings: Findings) -> str:
    """Return the answer to go on with. Raises Blocked."""
    return _apply(policy, text, "output", findings)


def loggable(policy: Policy | None, text: str, stage: Stage) -> str:
    """Return a refused text as it may be stored: with everything masked that the policy masks."""
    if policy is None:
        return text
    masks = policy.model_copy(update={"rules": [rule for rule in policy.rules if rule.action == "mask"]})
    return guards.apply(masks, text, stage).text


def _guarded(policy: Policy, message: Message, stage: Stage, findings: Findings) -> Message:
    kept = dict(message)
    if isinstance(kept.get("content"), list):
        kept["content"] = _guarded_parts(policy, kept["content"], stage, findings)
    elif kept.get("content"):
        kept["content"] = _apply(policy, str(kept["content"]), stage, findings)
    if kept.get("tool_calls"):
        kept["tool_calls"] = [_guarded_call(policy, call, stage, findings) for call in kept["tool_calls"]]
    return kept


def _guarded_parts(policy: Policy, parts: Sequence[JSON], stage: Stage, findings: Findings) -> list[JSON]:
    """Return a message's parts to go on with: texts beside each other are one text, so that no hit is cut in two.

    Raises Blocked, and Invalid for an image where a rule masks or blocks: no detector reads images.
    """
    strict = any(rule.action != "log" for rule in guards.rules_for(policy, stage))
    kept: list[JSON] = []
    for part in parts:
        if part["type"] != "text" and strict:
            raise Invalid("The release's guard reads text, and cannot judge an image.", hint="Send text only.")
        if part["type"] == "text" and kept and kept[-1]["type"] == "text":
            kept[-1] = {"type": "text", "text": kept[-1]["text"] + part["text"]}
        else:
            kept.append(part)
    texts = [part["text"] for part in kept if part["type"] == "text"]
    guard_together(policy, texts, findings)
    return [
        {**part, "text": _apply(policy, part["text"], stage, findings)} if part["type"] == "text" else part
        for part in kept
    ]


def _guarded_call(policy: Policy, call: Mapping[str, Any], stage: Stage, findings: Findings) -> Mapping[str, Any]:
    function = dict(call.get("function") or {})
    for field in ("name", "arguments"):
        function[field] = _apply(policy, str(function.get(field, "")), stage, findings)
    return {**call, "function": function}


def _apply(policy: Policy, text: str, stage: Stage, findings: Findings) -> str:
    outcome = guards.apply(policy, text, stage)
    findings.add(stage, outcome)
    if outcome.blocked:
        raise Blocked(policy.message)
    return outcome.text
