"""The grammar of templates: text, holes and blocks, read into a tree.

    {{name}}  {{row["field"]}}  {{rows[0]}}                        a value, or a part of a JSON value
    {% if name %} … {% elif not a and b == "x" %} … {% else %} … {% endif %}
    {% for row in rows %} … {{loop["index"]}} … {% endfor %}
    {% include "prompt/other@3" %}

There is no call, no filter, no arithmetic and no attribute: a path goes through keys of JSON objects and places of JSON
lists, and nothing else. `\\{{` and, where a template has blocks, `\\{%` are literal. A block tag that stands alone on
its line takes the line with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from mainspring.kernel.errors import Invalid, TooLarge

MAX_TAGS, MAX_DEPTH = 2000, 8
_SHORT = 20_000
"""Characters of a template whose tree is worth remembering."""
_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
_KEY = r"""\[\s*(?:"[^"\\\n]{1,128}"|'[^'\\\n]{1,128}'|\d{1,6})\s*\]"""
_PATH = rf"{_NAME}(?:{_KEY}){{0,8}}"
_HOLE = rf"\{{\{{\s*(?P<path>{_PATH})\s*\}}\}}|(?P<bad>\{{\{{[^\n]{{0,30}})"
_PLAIN = re.compile(rf"(?P<escaped>\\\{{\{{)|{_HOLE}")
_TAG = r"\{%(?P<tag>[^%\n]{0,500})%\}|(?P<open>\{%[^\n]{0,30})"
_BLOCKS = re.compile(rf"(?P<escaped>\\\{{[{{%])|{_HOLE}|{_TAG}")
_KNOWN = re.compile(r"\{%[ \t]{0,20}(?:if|elif|else|endif|for|endfor|include)\b")
_FOR = re.compile(rf"for\s+(?P<name>{_NAME})\s+in\s+(?P<path>{_PATH})")
_INCLUDE = re.compile(r"""include\s+(?:"(?P<a>[^"\n]{1,300})"|'(?P<b>[^'\n]{1,300})')""")
_WORD = re.compile(
    rf"""\s*(?:(?P<op>==|!=)|(?P<text>"[^"\\\n]*"|'[^'\\\n]*')|(?P<number>-?\d{{1,15}}(?:\.\d{{1,15}})?)|(?P<path>{_PATH}))"""
)
_KEYS = re.compile(r"""\[\s*(?:"([^"]*)"|'([^']*)'|(\d+))\s*\]""")
_LITERALS = {"true": True, "false": False, "null": None}
RESERVED = {"if", "elif", "else", "endif", "for", "endfor", "in", "include", "not", "and", "or", "loop", *_LITERALS}
"""Words that cannot name a variable where a template has blocks."""

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Path:
    """A variable, and the way into its value."""

    name: str
    keys: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return self.name + "".join(f"[{key}]" if isinstance(key, int) else f'["{key}"]' for key in self.keys)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in a condition."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Term:
    """`a`, `not a`, `a == b` or `a != b`."""

    left: Path | Literal
    negated: bool = False
    equal: bool | None = None
    """Whether `==` (else `!=`) stands between left and right; None where nothing does."""
    right: Path | Literal = Literal(None)


Condition = tuple[tuple[Term, ...], ...]
"""Alternatives (`or`) of terms that must all hold (`and`)."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A value to be filled in."""

    path: Path


@dataclass(frozen=True, slots=True)
class Include:
    """Another prompt's text."""

    ref: str


@dataclass(frozen=True, slots=True)
class If:
    """The first branch whose condition holds; one without a condition is the `else`."""

    branches: tuple[tuple[Condition | None, tuple[Node, ...]], ...]


@dataclass(frozen=True, slots=True)
class For:
    """The body once for each item of a list."""

    name: str
    path: Path
    body: tuple[Node, ...]


Node = str | Hole | Include | If | For


@dataclass(slots=True)
class _Open:
    """A block that is not closed yet."""

    tag: str
    nodes: list[Node] = field(default_factory=list)
    branches: list[tuple[Condition | None, tuple[Node, ...]]] = field(default_factory=list)
    condition: Condition | None = None
    loop: tuple[str, Path] = ("", Path(""))


def has_blocks(text: str) -> bool:
    """Tell whether a text holds a block tag; where none does, `{%` is plain text."""
    return _KNOWN.search(text) is not None


def parse(text: str, blocks: bool) -> tuple[Node, ...]:
    """Read a template. Without `blocks` only holes have a meaning. Raises Invalid with the place, TooLarge."""
    return _remembered(text, blocks) if len(text) <= _SHORT else _parse(text, blocks)


def _parse(text: str, blocks: bool) -> tuple[Node, ...]:
    top = _Open("")
    stack = [top]
    pattern, position, tags = (_BLOCKS if blocks else _PLAIN), 0, 0
    for match in pattern.finditer(text):
        start, end = match.span()
        if match["bad"]:
            raise Invalid(
                f"malformed variable: {match['bad']!r}",
                hint="Write {{name}}, or \\{{ for two literal braces. Templates hold no expressions.",
            )
        tag = match["tag"].strip() if blocks and match["tag"] is not None else None
        if blocks and match["open"]:
            raise Invalid(f"malformed tag: {match['open']!r}", hint="Write {% if … %}, or \\{% for a literal one.")
        if tag is not None:
            tags += 1
            if tags > MAX_TAGS:
                raise TooLarge(f"A template has at most {MAX_TAGS} tags.")
            if not tag.startswith("include"):
                start, end = _whole_line(text, start, end)
        if start > position:
            stack[-1].nodes.append(text[position:start])
        position = max(end, position)
        if match["escaped"]:
            stack[-1].nodes.append(match["escaped"][1:])
        elif match["path"]:
            stack[-1].nodes.append(Hole(path_of(match["path"])))
        elif tag is not None:
            _tag(stack, tag)
    if len(stack) > 1:
        raise Invalid(f"{{% {stack[-1].tag} %}} that is not closed", hint=f"Write {{% end{stack[-1].tag} %}}.")
    top.nodes.append(text[position:])
    return tuple(node for node in top.nodes if node != "")


_remembered = lru_cache(maxsize=128)(_parse)


def walk(nodes: Sequence[Node], bound: frozenset[str] = frozenset()) -> Iterator[tuple[str, Path]]:
    """Yield how a template uses the variables that come from outside: ("shown" | "asked" | "looped", path)."""
    for node in nodes:
        if isinstance(node, Hole):
            if node.path.name not in bound:
                yield "shown", node.path
        elif isinstance(node, If):
            for condition, body in node.branches:
                for term in (term for terms in condition or () for term in terms):
                    for side in (term.left, term.right):
                        if isinstance(side, Path) and side.name not in bound:
                            yield "asked", side
                yield from walk(body, bound)
        elif isinstance(node, For):
            if node.path.name not in bound:
                yield "looped", node.path
            yield from walk(node.body, bound | {node.name, "loop"})


def includes_in(nodes: Sequence[Node]) -> Iterator[str]:
    """Yield the references that a template includes."""
    for node in nodes:
        if isinstance(node, Include):
            yield node.ref
        elif isinstance(node, If):
            for _, body in node.branches:
                yield from includes_in(body)
        elif isinstance(node, For):
            yield from includes_in(node.body)


def pinned(text: str, exact: dict[str, str]) -> str:
    """Return the text with each included reference replaced by the exact one."""

    def replace(match: re.Match[str]) -> str:
        if match["escaped"] or not match["tag"]:
            return match[0]
        found = _INCLUDE.fullmatch(match["tag"].strip())
        return f'{{% include "{exact[found["a"] or found["b"]]}" %}}' if found else match[0]

    return _BLOCKS.sub(replace, text)


def path_of(text: str) -> Path:
    """Read a path that follows the grammar."""
    name, _, rest = text.partition("[")
    keys = [int(place) if place else double or single for double, single, place in _KEYS.findall(f"[{rest}")]
    return Path(name.strip(), tuple(keys) if rest else ())


def _whole_line(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the tag's line where nothing else stands on it, else the tag."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    if text[first:start].strip() or text[end : last if last >= 0 else len(text)].strip():
        return start, end
    return first, last + 1 if last >= 0 else len(text)


def _tag(stack: list[_Open], tag: str) -> None:
    word = tag.split(None, 1)[0] if tag else ""
    current = stack[-1]
    if word == "include":
        found = _INCLUDE.fullmatch(tag)
        if found is None:
            raise Invalid(f"malformed include: {tag[:60]!r}", hint='Write {% include "prompt/name@3" %}.')
        current.nodes.append(Include(found["a"] or found["b"]))
    elif word == "if":
        _push(stack, _Open("if", condition=_condition(tag[2:])))
    elif word == "for":
        found = _FOR.fullmatch(tag)
        if found is None or found["name"] in RESERVED:
            raise Invalid(f"malformed loop: {tag[:60]!r}", hint="Write {% for item in items %}.")
        _push(stack, _Open("for", loop=(found["name"], path_of(found["path"]))))
    elif word in ("elif", "else") and current.tag == "if" and (current.condition is not None or not current.branches):
        current.branches.append((current.condition, tuple(current.nodes)))
        current.nodes = []
        current.condition = _condition(tag[4:]) if word == "elif" else None
        if word == "else" and tag != "else":
            raise Invalid(f"malformed tag: {tag[:60]!r}", hint="{% else %} takes no condition.")
    elif tag in ("endif", "endfor") and current.tag == tag[3:]:
        stack.pop()
        if tag == "endif":
            current.branches.append((current.condition, tuple(current.nodes)))
            stack[-1].nodes.append(If(tuple(current.branches)))
        else:
            stack[-1].nodes.append(For(*current.loop, tuple(current.nodes)))
    else:
        raise Invalid(
            f"the tag {{% {tag[:40]} %}} has no place here",
            hint="There are if, elif, else, endif, for, endfor and include; \\{% is a literal one.",
        )


def _push(stack: list[_Open], block: _Open) -> None:
    if len(stack) > MAX_DEPTH:
        raise TooLarge(f"Blocks are nested at most {MAX_DEPTH} deep.")
    stack.append(block)


def _condition(text: str) -> Condition:
    words = list(_words(text))
    alternatives: list[tuple[Term, ...]] = []
    terms: list[Term] = []
    place = 0
    while True:
        term, place = _term(words, place, text)
        terms.append(term)
        joint = words[place] if place < len(words) else None
        if joint != Path("and"):
            alternatives.append(tuple(terms))
            terms = []
        if joint is None:
            return tuple(alternatives)
        if joint not in (Path("and"), Path("or")):
            raise _malformed(text)
        place += 1


def _term(words: list[Path | Literal | str], place: int, text: str) -> tuple[Term, int]:
    negated = False
    while place < len(words) and words[place] == Path("not"):
        negated, place = not negated, place + 1
    left = _operand(words, place, text)
    if place + 1 < len(words) and isinstance(sign := words[place + 1], str):
        return Term(left, negated, sign == "==", _operand(words, place + 2, text)), place + 3
    return Term(left, negated), place + 1


def _operand(words: list[Path | Literal | str], place: int, text: str) -> Path | Literal:
    word = words[place] if place < len(words) else ""
    if isinstance(word, str) or (isinstance(word, Path) and word.name in RESERVED - {"loop"}):
        raise _malformed(text)
    return word


def _words(text: str) -> Iterator[Path | Literal | str]:
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _WORD.match(text, position)
        if match is None:
            raise _malformed(text)
        position = match.end()
        if match["op"]:
            yield match["op"]
        elif match["text"]:
            yield Literal(match["text"][1:-1])
        elif match["number"]:
            yield Literal(float(match["number"]) if "." in match["number"] else int(match["number"]))
        elif match["path"] in _LITERALS:
            yield Literal(_LITERALS[match["path"]])
        else:
            yield path_of(match["path"])


def _malformed(text: str) -> Invalid:
    return Invalid(
        f"malformed condition: {text.strip()[:60]!r}",
        hint='Write a variable, or variable == "text"; join by and, or, not.',
    )
