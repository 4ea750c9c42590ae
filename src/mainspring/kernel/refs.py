"""References: one grammar for naming a version, wherever one is named.

kind/name               the latest version         dataset/faq
kind/name@3             a number                   dataset/faq@3
kind/name@alias         an alias                   prompt/greet@production
kind/name@sha256:ab12…  a hash, 8 digits or more   model/base@sha256:ab12cd34
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mainspring.kernel.errors import Invalid

NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,127}"
_NAME = re.compile(NAME_PATTERN)
_REF = re.compile(rf"(?:(?P<kind>[a-z][a-z_]*)/)?(?P<name>{NAME_PATTERN})(?:@(?P<selector>[A-Za-z0-9._:-]+))?")
_HASH = re.compile(r"sha256:[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True)
class Ref:
    """A parsed reference; `selector` is empty for the latest version."""

    kind: str
    name: str
    selector: str = ""

    @property
    def number(self) -> int | None:
        """The version number, where the selector is one."""
        return int(self.selector) if self.selector.isdigit() else None

    @property
    def sha256(self) -> str:
        """The hash prefix, where the selector is one, else empty."""
        return self.selector.removeprefix("sha256:") if self.selector.startswith("sha256:") else ""

    @property
    def alias(self) -> str:
        """The alias, where the selector is one, else empty."""
        return "" if self.number is not None or self.sha256 else self.selector

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}" + (f"@{self.selector}" if self.selector else "")


def check_name(name: str) -> str:
    """Return the name where it follows the grammar, else raise Invalid."""
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"'{name[:140]}' is not a valid name.",
            hint="A name has 1 to 128 of a-z, 0-9, '.', '_' and '-', and begins with a letter or a digit.",
        )
    return name


def parse(text: str, kind: str | None = None) -> Ref:
    """Parse a reference; `kind` fills in a missing kind, and a different one is an error. Raises Invalid."""
    match = _REF.fullmatch(text)
    if match is None:
        raise Invalid(f"'{text[:200]}' is not a reference.", hint="Write kind/name, kind/name@3 or kind/name@alias.")
    found, name, selector = match["kind"] or kind, match["name"], match["selector"] or ""
    if found is None:
        raise Invalid(f"'{text}' does not say its kind.", hint=f"Write for example model/{text}.")
    if kind is not None and found != kind:
        raise Invalid(f"'{text}' is a {found}, where a {kind} is asked for.", hint=f"Write {kind}/name@version.")
    if selector.isdigit() and (len(selector) > 9 or int(selector) < 1):
        raise Invalid(f"'{text}' has no valid version number.", hint="Versions count from 1.")
    if selector.startswith("sha256:") and not _HASH.fullmatch(selector):
        raise Invalid(f"'{text}' has no valid hash.", hint="Give 8 to 64 lower-case hex digits after sha256:.")
    if not selector.startswith("sha256:") and ":" in selector:
        raise Invalid(f"'{text}' has no valid selector.", hint="After @ comes a number, an alias or sha256:….")
    return Ref(found, name, selector)
