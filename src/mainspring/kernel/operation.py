"""`@operation`: a public method of a service is the whole definition of its endpoint, command and tool."""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args, get_origin

from mainspring.kernel import access, audit
from mainspring.kernel.errors import Denied, MainspringError, whole

if TYPE_CHECKING:
    from mainspring.kernel.service import Service

F = TypeVar("F", bound=Callable[..., Any])
_ROUTE = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/[a-z0-9_./{}:-]*)")
_PERMISSION = re.compile(r"[a-z]+\.[a-z]+")
_SECRETIVE = re.compile(r"secret|token|password|api_?key", re.I)
_PERSON = {"user", "user_id", "session_id"}
"""Arguments that name an end user: rows of the audit log stay for ever, so they hold a pseudonym."""
_SAID = {"comment", "correction", "text", "query", "answer", "question"}  # erasing a person does not reach the log
_URL = re.compile(r"^(\w+://)(?:[^/@]*@)?([^/?#]*).*$", re.S)


@dataclass(frozen=True, slots=True)
class Operation:
    """What `@operation` says of a method."""

    verb: str
    """The method's name without a trailing underscore: `commit`."""
    method: str
    """HTTP method."""
    path: str
    """Path under `/api/v1`, with `{parameter}` parts."""
    permission: str
    summary: str
    mcp: bool
    status: int
    audited: bool
    function: Callable[..., Any]

    @property
    def path_parameters(self) -> list[str]:
        """Names of the parameters that stand in the path."""
        return [name.partition(":")[0] for name in re.findall(r"{([^}]+)}", self.path)]

    @property
    def signature(self) -> inspect.Signature:
        """The method's signature with its annotations resolved, `self` left out."""
        whole = inspect.signature(self.function, eval_str=True)
        return whole.replace(parameters=list(whole.parameters.values())[1:])


def operation(
    route: str, *, permission: str, mcp: bool = False, status: int = 200, audit: bool = True
) -> Callable[[F], F]:
    """Make a method of a service an operation.

    `route` is "METHOD /path/{parameter}"; `permission` is `resource.action`; `mcp` offers it as a tool; `status` is
    what success answers (202 for a method that returns a Run). A write is audited unless `audit` says otherwise.
    """
    match = _ROUTE.fullmatch(route)
    if match is None or _PERMISSION.fullmatch(permission) is None:
        raise ValueError(f"operation({route!r}, permission={permission!r}) is malformed")

    def decorate(function: F) -> F:
        summary = (inspect.getdoc(function) or "").partition("\n")[0]
        verb = function.__name__.rstrip("_")
        audited = audit and match[1] != "GET"
        spec = Operation(verb, match[1], match[2], permission, summary, mcp, status, audited, function)

        @functools.wraps(function)
        def call(self: Service, *args: Any, **kwargs: Any) -> Any:
            return _perform(spec, self, args, kwargs)

        call.__operation__ = spec  # type: ignore[attr-defined]
        return cast(F, call)

    return decorate


def streamed(annotation: Any) -> Any:
    """Return what an operation that returns an iterator yields, a line of JSON each; None for any other."""
    return get_args(annotation)[0] if get_origin(annotation) is Iterator else None


def operations(service: type[Service]) -> Iterator[Operation]:
    """Yield the operations of a service, inherited ones included, in order of definition."""
    seen: set[str] = set()
    for cls in reversed(service.__mro__):
        for name in vars(cls):
            spec = getattr(getattr(service, name, None), "__operation__", None)
            if isinstance(spec, Operation) and name not in seen:
                seen.add(name)
                yield spec


def _perform(spec: Operation, service: Service, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    caller = access.current()
    platform = service.platform
    action = f"{service.noun}.{spec.verb}"
    bound = inspect.signature(spec.function).bind(service, *args, **kwargs)
    said = dict(list(bound.arguments.items())[1:])
    for name in _PERSON & said.keys():
        said[name] = said[name] and platform.keyring.pseudonym(caller.project, str(said[name]))
    target = f"{spec.method} {spec.path}"
    for name in spec.path_parameters:
        target = re.sub(rf"{{{name}(:path)?}}", whole(str(said.get(name, ""))[:200].replace("\\", "/")), target)
    detail = {name: _brief(name, value) for name, value in said.items() if name not in spec.path_parameters}
    try:
        access.require(caller, spec.permission)
    except Denied:
        with platform.begin() as tx:
            audit.append(tx, action, target, "denied", {})
        raise
    if not spec.audited:
        return spec.function(service, *args, **kwargs)
    with audit.activity(action, target, detail) as entry:
        try:
            result = spec.function(service, *args, **kwargs)
        except MainspringError as error:
            if not platform.writing:
                with audit.outside(), platform.begin() as tx:
                    audit.append(tx, action, target, "failed", {**detail, "error": error.code})
            raise
        if not entry.written:
            joined = platform.writing
            with platform.begin() as tx:
                if joined:
                    audit.append(tx, action, target, "ok", entry.detail)
                    entry.written = True
    return result


def _brief(name: str, value: Any) -> Any:
    """Cut an argument down to what an audit row needs: short plain values; the rest by type and size."""
    if _SECRETIVE.search(name):
        return "[secret]"
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, str | float):
        value = _URL.sub(r"\1\2/…", whole(str(value)))  # what follows a host may be a credential
        return value if len(value) <= 200 and name not in _SAID else f"[{len(value)} characters]"
    if isinstance(value, list | tuple | dict | set):
        return f"[{type(value).__name__} of {len(value)}]"
    return f"[{type(value).__name__}]"
