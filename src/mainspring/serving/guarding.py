"""Guarding: a release's guard policy over everything that a client sends and a model answers. It fails closed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON
from mainspring.safety import detectors, guards
from mainspring.safety.guards import FAILED, Found, Meter
from mainspring.safety.models import GuardOutcome, Hit, Policy, Source, Stage
from mainspring.safety.vault import Vault
from mainspring.serving.models import Message

_STRENGTH = ("allow", "log", "mask", "block")
_SLOW = 1_000_000
"""What a detector counts for that takes milliseconds over any text, in characters."""
_READ_BY_THE_MODEL = ("tools", "response_format")
"""Options whose text reaches the model, and so passes the guard."""
_SENT_ALONG = ("tool_choice", "stop", "prompt_cache_key", "reasoning_effort", "verbosity", "service_tier")
"""Options that a provider gets: what stands in them passes the guard, but they are no text to be judged as a whole."""


_PLAIN_ID = re.compile(r"[\w.:/+=|-]{0,128}")
"""What ids of tool calls look like; prose has no place in them, and some chat templates show them to the model."""
_ESCAPE = re.compile(r"\\(?:u(?:[dD][89abAB]..\\u[dD][c-fC-F]..|....)|.)", re.DOTALL)
_KEPT = ('"', "\\")
"""What stands escaped in JSON whatever is meant by it."""


class Blocked(Invalid):
    """The guard policy refused what was sent."""

    code, status = "content_filter", 400


class Findings:
    """What a policy found in one call and what that cost, without the text itself; and what it is to put back."""

    def __init__(self, timeout_ms: int = 0) -> None:
        """`timeout_ms` bounds what a detector may take over one text, see `Meter`."""
        self.action = "allow"
        self.hits: list[dict[str, Any]] = []
        self.vault = Vault()
        self.meters: dict[Stage, Meter] = {"input": Meter(timeout_ms), "output": Meter(timeout_ms)}

    def add(self, stage: Stage, outcome: GuardOutcome, source: Source | None = None) -> None:
        """Take in the outcome of one text."""
        self.action = max(self.action, outcome.action, key=_STRENGTH.index)
        where = {"source": source} if source else {}
        for hit in outcome.hits[:100]:
            self.hits.append({"stage": stage, **where, "detector": hit.detector, "kind": hit.kind, "score": hit.score})

    def attributes(self, guard: str) -> dict[str, Any]:
        """Return what the span of the call says of them; nothing without a guard."""
        if not guard:
            return {}
        taken = {
            f"{stage}.{name}": round(ns / 1e6, 4)
            for stage, meter in self.meters.items()
            for name, ns in meter.ns.items()
        }
        found: dict[str, Any] = {
            "mainspring.guard": guard,
            "mainspring.guard.action": self.action,
            "mainspring.guard.ms": round(sum(taken.values()), 4),
        }
        if taken:
            found["mainspring.guard.detector_ms"] = taken
        if self.hits:
            found["mainspring.guard.hits"] = self.hits[:100]
        return found


def refusal(policy: Policy, hits: Iterable[Hit]) -> Blocked:
    """Return the refusal of a text, which says so where it is a detector's failure that refuses it."""
    failed = next((hit for hit in hits if hit.kind in FAILED), None)
    if failed is None:
        return Blocked(policy.message)
    why = "failed" if failed.kind == "error" else "took too long"
    return Blocked(
        policy.message, hint=f"The guard's detector `{failed.detector}` {why}, and so nothing is let through."
    )


def judged(policy: Policy | None, size: int) -> int:
    """Return how many characters a guard reads, as far as time goes; 0 without a guard."""
    if policy is None:
        return 0
    return size + _SLOW if any(detectors.is_slow(rule.detector) for rule in policy.rules) else size


def guard_input(policy: Policy, messages: Sequence[Message], findings: Findings) -> list[Message]:
    """Return the messages to go on with, masked where the policy says so. Raises Blocked."""
    return [_guarded(policy, message, findings) for message in messages]


def guard_options(policy: Policy, options: Mapping[str, JSON], findings: Findings) -> dict[str, JSON]:
    """Return the options to go on with: tools and schemas are read by the model too.

    Raises Blocked, also where a mask leaves something that is no JSON any more.
    """
    kept = dict(options)
    for name in (*_READ_BY_THE_MODEL, *_SENT_ALONG):
        if name in kept:
            rules = policy if name in _READ_BY_THE_MODEL else _of_parts(policy)
            text = _apply_json(rules, json.dumps(kept[name], ensure_ascii=False), "input", findings, "tools")
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
    return _values(policy, value, "input", findings, "variables")


def _values(policy: Policy, value: JSON, stage: Stage, findings: Findings, source: Source | None) -> JSON:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {
            _values(policy, name, stage, findings, source): _values(policy, item, stage, findings, source)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_values(policy, item, stage, findings, source) for item in value]
    text = str(value)
    guarded = _apply(policy, text, stage, findings, source)
    return value if guarded == text else guarded


def guard_together(policy: Policy, values: Sequence[JSON], findings: Findings, source: Source = "variables") -> None:
    """Judge values together, by the detectors that judge a text as a whole: an order cut in two is still an order.

    Such a finding stands in no single value, so that a rule which masks refuses too. Raises Blocked.
    """
    rules = [rule for rule in guards.rules_for(policy, "input", source) if detectors.judges_whole(rule.detector)]
    texts = [text for value in values for text in _texts(value)]
    found = guards.findings(rules, "\n".join(texts), 0, findings.meters["input"]) if rules and len(texts) > 1 else []
    _note(policy, [("block" if action == "mask" else action, hit, False) for action, hit, _ in found], source, findings)


def guard_filled(policy: Policy, text: str, source: str, findings: Findings) -> str:
    """Return a message of a prompt, filled in with values that were guarded one by one, to go on with.

    Here counts what the values make beside each other and beside the prompt's own words. What stands in `source`, the
    prompt's text before it was filled in, is its author's. Raises Blocked.
    """
    if text in source:
        return text
    rules = guards.rules_for(policy, "input", "variables")
    rules = [rule for rule in rules if not detectors.judges_whole(rule.detector)]
    found = [
        one
        for one in guards.findings(rules, text, 0, findings.meters["input"])
        if one[1].kind in FAILED or text[one[1].start : one[1].end] not in source
    ]
    _note(policy, found, "variables", findings)
    return guards.masked(text, found, 0, len(text), findings.vault)


def _note(policy: Policy, found: Sequence[Found], source: Source, findings: Findings) -> None:
    """Take in what was found in a request. Raises Blocked where it blocks."""
    if not found:
        return
    action, hits = guards.strongest(found), [hit for _, hit, _ in found]
    findings.add("input", GuardOutcome(action=action, hits=hits), source)
    if action == "block":
        raise refusal(policy, hits)


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
    return [_guarded_call(_of_calls(policy), call, "output", findings) for call in calls]


def guard_output(policy: Policy, text: str, findings: Findings) -> str:
    """Return the answer to go on with. Raises Blocked."""
    return _apply(policy, text, "output", findings)


def loggable(policy: Policy | None, text: str, stage: Stage) -> str:
    """Return a refused text as it may be stored: with everything masked that the policy masks."""
    if policy is None:
        return text
    masks = policy.model_copy(update={"rules": [rule for rule in policy.rules if rule.action == "mask"]})
    return guards.apply(masks, text, stage).text


def _of_parts(policy: Policy) -> Policy:
    """Return the policy without the rules that judge a text as a whole."""
    whole = [rule for rule in policy.rules if rule.detector == "length" or detectors.judges_whole(rule.detector)]
    return policy.model_copy(update={"rules": [rule for rule in policy.rules if rule not in whole]})


def _of_calls(policy: Policy) -> Policy:
    """Return the policy without the rules that are about the text of an answer, which a tool call is not."""
    kept = [rule for rule in policy.rules if rule.detector not in ("schema", "length")]
    return policy if len(kept) == len(policy.rules) else policy.model_copy(update={"rules": kept})


_SOURCES: dict[str, Source] = {
    "system": "system", "developer": "system", "assistant": "assistant", "tool": "tool", "function": "tool",
}  # fmt: skip


def _guarded(policy: Policy, message: Message, findings: Findings) -> Message:
    kept, source = dict(message), _SOURCES.get(str(message.get("role")), "user")
    if isinstance(kept.get("content"), list):
        kept["content"] = _guarded_parts(policy, kept["content"], source, findings)
    elif kept.get("content"):
        kept["content"] = _apply(policy, str(kept["content"]), "input", findings, source)
    if kept.get("tool_calls"):
        kept["tool_calls"] = [
            _guarded_call(_of_calls(policy), call, "input", findings, source) for call in kept["tool_calls"]
        ]
    if kept.get("tool_call_id"):
        kept["tool_call_id"] = _id(policy, str(kept["tool_call_id"]))
    return kept


def _guarded_parts(policy: Policy, parts: Sequence[JSON], source: Source, findings: Findings) -> list[JSON]:
    """Return a message's parts to go on with: texts beside each other are one text, so that no hit is cut in two.

    Raises Blocked, and Invalid for an image where a rule masks or blocks: no detector reads images.
    """
    strict = any(rule.action != "log" for rule in guards.rules_for(policy, "input", source))
    kept: list[JSON] = []
    for part in parts:
        if part["type"] != "text" and strict:
            raise Invalid("The release's guard reads text, and cannot judge an image.", hint="Send text only.")
        if part["type"] == "text" and kept and kept[-1]["type"] == "text":
            kept[-1] = {"type": "text", "text": kept[-1]["text"] + part["text"]}
        else:
            kept.append(part)
    texts = [part["text"] for part in kept if part["type"] == "text"]
    guard_together(policy, texts, findings, source)
    return [
        {**part, "text": _apply(policy, part["text"], "input", findings, source)} if part["type"] == "text" else part
        for part in kept
    ]


def _guarded_call(
    policy: Policy, call: Mapping[str, Any], stage: Stage, findings: Findings, source: Source | None = None
) -> Mapping[str, Any]:
    given = call.get("function") or {}
    function = {
        "name": _apply(policy, str(given.get("name", "")), stage, findings, source),
        "arguments": _apply_json(policy, str(given.get("arguments", "")), stage, findings, source),
    }
    # Nothing else passes: a detector has not read what other fields, or calls of another kind, say.
    return {"id": _id(policy, str(call.get("id") or "")), "type": "function", "function": function}


def _id(policy: Policy, text: str) -> str:
    """Return the id of a tool call to go on with: one that says something is replaced by its hash, always the same.

    So a call and its result still belong together.
    """
    rules = [rule for rule in _of_parts(policy).rules if rule.action != "log"]
    if _PLAIN_ID.fullmatch(text) and not guards.findings(rules, text, 0):
        return text
    return f"call_{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:24]}"


def _apply_json(policy: Policy, text: str, stage: Stage, findings: Findings, source: Source | None = None) -> str:
    """Return a text of JSON to go on with: read as whoever decodes it reads it, also where something is escaped twice.

    Raises Blocked.
    """
    if "\\" not in text:
        return _apply(policy, text, stage, findings, source)
    begun, plain = len(findings.hits), _ESCAPE.sub(lambda match: _unescaped(match[0]), text)
    guarded = _apply(policy, plain, stage, findings, source)
    known = findings.hits[begun:]
    try:
        meant = json.loads(guarded, strict=False)
    except (ValueError, RecursionError):
        return text if guarded == plain else guarded
    values = _values(_of_parts(policy), meant, stage, findings, source) if "\\" in plain else meant
    kinds = {(hit["detector"], hit["kind"]) for hit in known}
    findings.hits[begun:] = [
        *known, *(hit for hit in findings.hits[begun + len(known) :] if (hit["detector"], hit["kind"]) not in kinds)
    ]  # fmt: skip
    return text if guarded == plain and values == meant else json.dumps(values, ensure_ascii=False)


@lru_cache(1000)
def _unescaped(escape: str) -> str:
    """Return what an escape of JSON stands for, or itself where that cannot stand in a text as it is."""
    try:
        made: str = json.loads(f'"{escape}"')
    except ValueError:
        return escape
    kept = made in _KEPT or (made < " " and made not in "\n\r\t") or "\ud800" <= made <= "\udfff"
    return escape if kept else made


def _apply(policy: Policy, text: str, stage: Stage, findings: Findings, source: Source | None = None) -> str:
    vault = findings.vault if stage == "input" else None
    outcome = guards.apply(policy, text, stage, source=source, meter=findings.meters[stage], vault=vault)
    findings.add(stage, outcome, source)
    if outcome.blocked:
        raise refusal(policy, outcome.hits)
    return outcome.text
