"""Policies that make sense: what is refused when one is stored."""

from __future__ import annotations

from mainspring.kernel.errors import Invalid
from mainspring.safety import detectors
from mainspring.safety.models import Policy, Rule
from mainspring.safety.regexes import check_pattern
from mainspring.safety.schemas import check_schema

_OPTIONS = {
    "terms": ("terms",),
    "regex": ("pattern",),
    "schema": ("json_schema",),
    "length": ("max_chars", "max_tokens"),
    "topic": ("topics",),
    "canary": ("terms", "plant"),
}
"""Options of which each detector needs at least one, and which belong to no other."""
_BESIDE = {"regex": ("label",), "topic": ("only",)}
_UNMASKED = ("schema", "length", "topic")
"""Detectors that find fault with a text as a whole, so that there is nothing in it to mask."""


def check(policy: Policy) -> None:
    """Refuse a policy that names a detector that is not there, or options that do not fit it. Raises Invalid."""
    for number, rule in enumerate(policy.rules, start=1):
        if rule.detector not in detectors.names():
            raise Invalid(
                f"rule {number} names the detector {rule.detector!r}, which does not exist",
                hint=f"Detectors: {', '.join(detectors.names())}.",
            )
        _check_options(number, rule)
        _check_place(number, rule)
        if rule.detector == "regex":
            _numbered(number, lambda rule=rule: check_pattern(rule.pattern))
        if rule.detector == "schema":
            _numbered(number, lambda rule=rule: check_schema(rule.json_schema, "schema"))


def _check_options(number: int, rule: Rule) -> None:
    needed = _OPTIONS.get(rule.detector, ())
    if needed and not any(getattr(rule, name) for name in needed):
        said = " or ".join(f"`{name}`" for name in needed)
        raise Invalid(f"rule {number}: the detector `{rule.detector}` needs {said}")
    own = {*needed, *_BESIDE.get(rule.detector, ())}
    for name in {name for names in (*_OPTIONS.values(), *_BESIDE.values()) for name in names} - own:
        if getattr(rule, name):
            owners = [who for who in _OPTIONS if name in (*_OPTIONS[who], *_BESIDE.get(who, ()))]
            raise Invalid(f"rule {number}: `{name}` belongs to the detector `{'` or `'.join(owners)}`")


def _check_place(number: int, rule: Rule) -> None:
    if rule.action == "mask" and rule.detector in _UNMASKED:
        raise Invalid(f"rule {number}: `{rule.detector}` judges a text as a whole", hint="Let it `log` or `block`.")
    if rule.detector in ("schema", "canary") and rule.on != "output":
        raise Invalid(f"rule {number}: `{rule.detector}` judges answers", hint='Set "on": "output".')
    if rule.restore and (rule.action != "mask" or rule.on == "output"):
        raise Invalid(f"rule {number}: `restore` puts back what a mask took out of the input", hint="Mask the input.")
    if rule.sources and rule.on == "output":
        raise Invalid(f"rule {number}: `sources` tells the texts of a request apart", hint="An answer has none.")


def _numbered(number: int, check_it: object) -> None:
    assert callable(check_it)
    try:
        check_it()
    except Invalid as error:
        raise Invalid(f"rule {number}: {error.message}", hint=error.hint) from None
