"""Shapes: which of all the names concern attributes with the same keys, found out once for all spans that have them.

An instrumentation gives every span of a kind the same few attributes; most of the names that are known here are other
dialects' and need not be looked for in each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.traces.dialects import names

_REMEMBERED = 1_000
_LONGEST = 4_000
"""Characters of the keys of a shape that is remembered: keys are data of strangers."""
Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """The tables of `names`, without the names that are not there; of prefixes, those that a key begins with."""

    vectors: Keys
    mimes: Keys
    kind: Keys
    kind_words: tuple[tuple[str, Mapping[str, str]], ...]
    alike: tuple[tuple[str, Keys], ...]
    tool_lists: Keys
    instructions: Keys
    input_lists: Keys
    inputs: Keys
    embedded_lists: Keys
    output_lists: Keys
    outputs: Keys
    document_lists: Keys
    model: Keys
    provider: Keys
    session_id: Keys
    user_id: Keys
    deployment: Keys
    release: Keys
    prompt: Keys
    input_tokens: Keys
    output_tokens: Keys
    cached_tokens: Keys
    usage: Keys
    costs: Keys
    cost: Keys
    first_moments: Keys
    first_seconds: Keys
    first_milliseconds: Keys
    of_mlflow: bool
    metadata: Keys
    levels: Keys

    @property
    def costly(self) -> bool:
        """Whether anything names a cost."""
        return bool(self.costs or self.cost)

    @property
    def timed(self) -> bool:
        """Whether anything names the time to the first token."""
        return bool(self.first_moments or self.first_seconds or self.first_milliseconds)


_shapes: dict[Keys, Shape] = {}


def of(attributes: Mapping[str, Any]) -> Shape:
    """Return the shape of attributes."""
    keys = tuple(attributes)
    shape = _shapes.get(keys)
    if shape is None:
        shape = _shape(attributes)
        if sum(map(len, keys)) <= _LONGEST:
            if len(_shapes) >= _REMEMBERED:
                _shapes.clear()
            _shapes[keys] = shape
    return shape


def _shape(keys: Collection[str]) -> Shape:
    def there(known: Iterable[str]) -> Keys:
        return tuple(name for name in known if name in keys)

    def begun(known: Iterable[str]) -> Keys:
        return tuple(name for name in known if any(key.startswith(name + ".") for key in keys))

    def tables(known: Mapping[str, Keys]) -> tuple[tuple[str, Keys], ...]:
        return tuple((name, found) for name, some in known.items() if (found := there(some)))

    return Shape(
        vectors=there(names.VECTORS),
        mimes=there(names.MIMES),
        kind=there(names.KIND),
        kind_words=tuple((key, words) for key, words in names.KIND_WORDS.items() if key in keys),
        alike=tables(names.ALIKE),
        tool_lists=begun(names.TOOL_LISTS),
        instructions=there(names.INSTRUCTIONS),
        input_lists=begun(names.INPUT_LISTS),
        inputs=there(names.INPUTS),
        embedded_lists=begun(names.EMBEDDED_LISTS),
        output_lists=begun(names.OUTPUT_LISTS),
        outputs=there(names.OUTPUTS),
        document_lists=begun(names.DOCUMENT_LISTS),
        model=there(names.TEXTS["model"]),
        provider=there(names.TEXTS["provider"]),
        session_id=there(names.TEXTS["session_id"]),
        user_id=there(names.TEXTS["user_id"]),
        deployment=there(names.TEXTS["deployment"]),
        release=there(names.TEXTS["release"]),
        prompt=there(names.TEXTS["prompt"]),
        input_tokens=there(names.COUNTS["input_tokens"]),
        output_tokens=there(names.COUNTS["output_tokens"]),
        cached_tokens=there(names.COUNTS["cached_tokens"]),
        usage=there(names.USAGE),
        costs=there(names.COSTS),
        cost=there(names.COST),
        first_moments=there(names.FIRST_MOMENTS),
        first_seconds=there(names.FIRST_SECONDS),
        first_milliseconds=there(names.FIRST_MILLISECONDS),
        of_mlflow=any(key.startswith("mlflow.") for key in keys),
        levels=there(names.LEVELS),
        metadata=tuple(key for key in keys if key.startswith(names.METADATA)),
    )
