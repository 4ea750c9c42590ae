"""Templates: messages with holes and blocks, filled in under limits of size, steps and time.

What is filled in is never read as a template again: a value can do no more than appear. The grammar knows neither
calls nor attributes, so a template reaches nothing but the values that it is given.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mainspring.kernel.errors import Invalid, TooLarge
from mainspring.kernel.ports import JSON
from mainspring.prompts import grammar
from mainspring.prompts.grammar import Condition, For, Hole, If, Include, Literal, Node, Path
from mainspring.prompts.models import Included, Message, Variable, VariableType

MAX_MESSAGES, MAX_VARIABLES, MAX_MESSAGE = 200, 100, 100_000
MAX_TEMPLATE, MAX_RENDERED = 400_000, 1_000_000
"""Characters, all messages together."""
MAX_STEPS, MAX_SECONDS = 200_000, 2.0
"""Of filling in all messages together."""


def parsed(messages: Sequence[Message], blocks: bool) -> list[tuple[Node, ...]]:
    """Return the messages' trees. Raises Invalid, naming the message, TooLarge."""
    trees = []
    for place, message in enumerate(messages):
        try:
            trees.append(grammar.parse(message.content, blocks))
        except TooLarge:
            raise
        except Invalid as error:
            raise Invalid(f"Message {place} has a {error.message}", hint=error.hint) from None
    return trees


def check_size(messages: Sequence[Message]) -> None:
    """Raise Invalid for no messages, TooLarge for too many or too long ones."""
    if not messages:
        raise Invalid("A prompt needs at least one message.")
    size = sum(len(message.content) for message in messages)
    if len(messages) > MAX_MESSAGES or size > MAX_TEMPLATE:
        raise TooLarge(f"A prompt has at most {MAX_MESSAGES} messages and {MAX_TEMPLATE} characters.")
    if any(len(message.content) > MAX_MESSAGE for message in messages):
        raise TooLarge(f"A message of a prompt has at most {MAX_MESSAGE} characters.")


def complete(
    trees: Sequence[Sequence[Node]],
    declared: Mapping[str, Variable],
    *,
    blocks: bool,
    inherited: Mapping[str, Variable],
) -> dict[str, Variable]:
    """Return every variable used, in order of appearance; those of what is included come last.

    What is not declared is required: a list where it is looped over or a place of it is taken, an object where a key
    is, else text. Raises Invalid for a declared variable that nothing uses, a name that blocks reserve, or a default
    of the wrong type; TooLarge.
    """
    used: dict[str, VariableType] = {}
    for nodes in trees:
        for how, path in grammar.walk(nodes):
            used[path.name] = max(_implied(how, path), used.get(path.name, "text"), key=_WEIGHT.index)
    if blocks and (taken := sorted(set(used) & grammar.RESERVED)):
        raise Invalid(f"A variable cannot be named '{taken[0]}'.", hint="It is a word of the templates' language.")
    names = dict.fromkeys([*used, *inherited])
    if len(names) > MAX_VARIABLES:
        raise TooLarge(f"A prompt has at most {MAX_VARIABLES} variables.")
    idle = sorted(set(declared) - set(names))
    if idle:
        raise Invalid(f"No message uses the variable '{idle[0]}'.", hint="Use it or leave its declaration out.")
    for name, variable in declared.items():
        if variable.default is not None:
            check(name, variable, variable.default)
    return {name: declared.get(name) or inherited.get(name) or Variable(type=used[name]) for name in names}


_WEIGHT: tuple[VariableType, ...] = ("text", "object", "list")


def _implied(how: str, path: Path) -> VariableType:
    if path.keys:
        return "list" if isinstance(path.keys[0], int) else "object"
    return "list" if how == "looped" else "text"


def fill(
    messages: Sequence[Message],
    variables: Mapping[str, Variable],
    values: Mapping[str, JSON],
    *,
    blocks: bool = False,
    includes: Mapping[str, Included] | None = None,
) -> list[Message]:
    """Fill the variables in. Values that no variable asks for are ignored.

    Raises Invalid for a missing variable, naming it, or a value of the wrong type; TooLarge for over 1,000,000
    characters, 200,000 steps or 2 seconds in all.
    """
    scope: dict[str, JSON] = {}
    missing = []
    for name, variable in variables.items():
        value = values.get(name)
        value = variable.default if value is None else value
        if value is not None:
            check(name, variable, value)
        elif variable.required:
            missing.append(name)
        scope[name] = value
    if missing:
        plural = "s" if len(missing) > 1 else ""
        named = ", ".join(f"'{name}'" for name in missing)
        raise Invalid(f"The prompt's variable{plural} {named} got no value.", hint="Give one, or a default.")
    quoted = frozenset(name for name, variable in variables.items() if variable.type == "json")
    work = _Work(scope, quoted, dict(includes or {}))
    filled = []
    for message, nodes in zip(messages, parsed(messages, blocks), strict=True):
        out: list[str] = []
        work.run(nodes, {}, out)
        filled.append(Message.model_construct(role=message.role, content="".join(out)))
    return filled


@dataclass(slots=True)
class _Work:
    """One filling in, with what it has used up."""

    scope: Mapping[str, JSON]
    quoted: frozenset[str]
    """Variables of type json: shown as JSON even where they are text."""
    includes: Mapping[str, Included]
    size: int = 0
    steps: int = 0
    until: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    def run(self, nodes: Sequence[Node], bound: Mapping[str, JSON], out: list[str]) -> None:
        """Append what the nodes say; `bound` are the variables of the loops around them."""
        for node in nodes:
            self._step()
            if isinstance(node, str):
                self._put(node, out)
            elif isinstance(node, Hole):
                self._put(self._shown(node.path, bound), out)
            elif isinstance(node, Include):
                held = self.includes[node.ref]
                self.run(grammar.parse(held.text, held.blocks), {}, out)
            elif isinstance(node, If):
                for condition, body in node.branches:
                    if condition is None or self._holds(condition, bound):
                        self.run(body, bound, out)
                        break
            else:
                self._loop(node, bound, out)

    def _loop(self, node: For, bound: Mapping[str, JSON], out: list[str]) -> None:
        items = self._value(node.path, bound)
        if not isinstance(items, list | tuple):
            raise Invalid(f"'{node.path}' is no list, so that nothing can be repeated for it.")
        for place, item in enumerate(items):
            self._step()
            loop = {"index": place + 1, "first": place == 0, "last": place == len(items) - 1}
            self.run(node.body, {**bound, node.name: item, "loop": loop}, out)

    def _holds(self, condition: Condition, bound: Mapping[str, JSON]) -> bool:
        for terms in condition:
            for term in terms:
                self._step()
                left = self._asked(term.left, bound)
                held = bool(left)
                if term.equal is not None:
                    held = _same(left, self._asked(term.right, bound)) is term.equal
                if held is term.negated:
                    break
            else:
                return True
        return False

    def _asked(self, side: Path | Literal, bound: Mapping[str, JSON]) -> JSON:
        return side.value if isinstance(side, Literal) else self._value(side, bound, asked=True)

    def _shown(self, path: Path, bound: Mapping[str, JSON]) -> str:
        value = self._value(path, bound)
        whole = not path.keys and path.name not in bound
        if value is None and whole:
            return ""
        return _text(path, value, quoted=whole and path.name in self.quoted)

    def _value(self, path: Path, bound: Mapping[str, JSON], *, asked: bool = False) -> JSON:
        value = bound[path.name] if path.name in bound else self.scope.get(path.name)
        for key in path.keys:
            held: JSON = value if isinstance(value, Mapping if isinstance(key, str) else (list, tuple)) else ()
            if key in held if isinstance(key, str) else key < len(held):
                value = held[key]
            elif asked or (value is None and path.name in self.scope and path.name not in bound):
                return None
            else:
                raise Invalid(f"There is no '{path}' in what was given.", hint=f"Give it, or ask {{% if {path} %}}.")
        return value

    def _put(self, text: str, out: list[str]) -> None:
        self.size += len(text)
        if self.size > MAX_RENDERED:
            raise TooLarge(f"The prompt would be over {MAX_RENDERED} characters long.")
        out.append(text)

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TooLarge(f"The prompt takes over {MAX_STEPS} steps to fill in.", hint="Give shorter lists.")
        if self.steps % 64 == 0 and time.monotonic() > self.until:
            raise TooLarge(f"The prompt takes over {MAX_SECONDS:g} seconds to fill in.", hint="Give shorter values.")


def _same(left: JSON, right: JSON) -> bool:
    """Compare plain values; lists and objects equal nothing, and true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    return left is right is None or (isinstance(left, str) and isinstance(right, str) and left == right)


def check(name: str, variable: Variable, value: JSON) -> None:
    """Raise Invalid where a value is not of the variable's type."""
    kind = variable.type
    fits = {
        "text": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "list": isinstance(value, list | tuple),
        "object": isinstance(value, Mapping),
        "json": True,
    }
    if not fits[kind]:
        raise Invalid(f"The variable '{name}' takes {kind}, not {type(value).__name__}.")
    if kind in ("json", "list", "object"):
        _text(Path(name), value, quoted=True)


def _text(path: Path, value: JSON, *, quoted: bool = False) -> str:
    """Return a value as text: words as they are, the rest as JSON. Raises Invalid for what is no JSON value."""
    if isinstance(value, str) and not quoted:
        return value
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and not quoted:
            return str(value)
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise Invalid(f"The variable '{path}' takes a JSON value.") from None
