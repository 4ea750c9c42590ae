"""The errors that cross a boundary. Each says what was wrong, with what, and what to do.

MainspringError
├── Invalid            the input is wrong                         422, exit 2
│   └── TooLarge       the input is over a limit                  413, exit 2
├── Unauthenticated    no key, or not a valid one                 401, exit 4
├── Denied             the key may not do this                    403, exit 4
├── NotFound           nothing has this name                      404, exit 3
├── Conflict           the state does not allow it now            409, exit 5
│   └── GateFailed     a release gate said no                     409, exit 6
├── LimitReached       too many, too fast or too dear             429, exit 1
├── MissingExtra       an optional package is not installed       501, exit 1
├── Unavailable        a part does not answer now                 503, exit 1
│   ├── Unreachable    the server does not answer at all          503, exit 7
│   └── NoSpace        the disk is full                           507, exit 1
└── Cancelled          somebody asked the run to stop             409, exit 1
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


def whole(text: str) -> str:
    """Return the text with what cannot be written, NUL and halves of surrogate pairs, as question marks."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


class MainspringError(Exception):
    """Base of all errors that a user meets."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def to_dict(self) -> dict[str, Any]:
        """Return the wire form `{"error": {"code", "message", "hint"}}`, with `details` where there are any."""
        body: dict[str, Any] = {"code": self.code, "message": whole(self.message), "hint": whole(self.hint)}
        if self.details:
            body["details"] = self.details
        return {"error": body}


class Invalid(MainspringError):
    code, status, exit_code = "invalid", 422, 2

    @classmethod
    def unwritable(cls) -> Invalid:
        """Return the error for a text that no database keeps."""
        problem = "A text holds a character that cannot be stored: NUL, or half of a surrogate pair."
        return cls(problem, hint="Send whole Unicode text.")


class TooLarge(Invalid):
    code, status = "too_large", 413


class Unauthenticated(MainspringError):
    code, status, exit_code = "unauthenticated", 401, 4


class Denied(MainspringError):
    code, status, exit_code = "denied", 403, 4


class NotFound(MainspringError):
    code, status, exit_code = "not_found", 404, 3


class Conflict(MainspringError):
    code, status, exit_code = "conflict", 409, 5


class GateFailed(Conflict):
    code, exit_code = "gate_failed", 6


class LimitReached(MainspringError):
    code, status = "limit_reached", 429


class MissingExtra(MainspringError):
    code, status = "missing_extra", 501

    @classmethod
    def of(cls, extra: str, purpose: str) -> MissingExtra:
        """Return the error that names the extra which `purpose` needs."""
        return cls(f"{purpose} needs the extra '{extra}'.", hint=f"pip install 'mainspring[{extra}]'")


class Unavailable(MainspringError):
    code, status = "unavailable", 503


class Unreachable(Unavailable):
    code, exit_code = "unreachable", 7


class NoSpace(Unavailable):
    code, status = "no_space", 507

    @classmethod
    def of(cls, what: str) -> NoSpace:
        """Return the error for something that could not be written in full."""
        return cls(f"The disk is full: {what} was not written.", hint="Free some space; nothing half-written is left.")


class Cancelled(MainspringError):
    code, status = "cancelled", 409


def _tree(root: type[MainspringError]) -> dict[str, type[MainspringError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


def from_dict(body: Mapping[str, Any], status: int) -> MainspringError:
    """Rebuild the error that a server sent; an unknown shape becomes a MainspringError that names the status."""
    error = body.get("error")
    if not isinstance(error, Mapping):
        return MainspringError(str(body.get("message") or f"The server answered {status}."))
    cls = _tree(MainspringError).get(str(error.get("code")), MainspringError)
    details = error.get("details")
    return cls(
        str(error.get("message", f"The server answered {status}.")),
        hint=str(error.get("hint") or ""),
        **(dict(details) if isinstance(details, Mapping) else {}),
    )
