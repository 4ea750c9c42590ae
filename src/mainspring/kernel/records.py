"""What operations take and return: frozen records, names, pages."""

from __future__ import annotations

import ast
import base64
import re
from collections.abc import Sequence
from inspect import cleandoc, getsource
from itertools import pairwise
from textwrap import dedent
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler, StringConstraints
from pydantic_core import CoreSchema
from sqlalchemy import ColumnElement, RowMapping, Select

from mainspring.kernel.errors import Invalid
from mainspring.kernel.refs import NAME_PATTERN, parse
from mainspring.kernel.tx import Tx

T = TypeVar("T")

Name = Annotated[str, StringConstraints(pattern=rf"^{NAME_PATTERN}$")]
"""A name: 1 to 128 of a-z, 0-9, '.', '_', '-', beginning with a letter or a digit."""


def _reference(text: str) -> str:
    try:
        parse(text, kind=None if "/" in text else "any")
    except Invalid as error:
        raise ValueError(error.message) from None
    return text


RefText = Annotated[str, StringConstraints(max_length=300), AfterValidator(_reference)]
"""A reference in its text form, see `mainspring.kernel.refs`."""

Limit = Annotated[int, Field(ge=1, le=1000)]
"""How many items a page may have."""

Cursor = Annotated[str, StringConstraints(max_length=500)]
"""Where a page begins: opaque, from `next_cursor` of the page before."""

Text = Annotated[str, StringConstraints(max_length=20_000)]
"""Free text of a bounded length."""


class FileMarker:
    """Marks a parameter as the address of a stored file: command line and client take a path and upload it."""


File = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), FileMarker()]
"""SHA-256 of a file that was stored before, in 64 lower-case hex digits."""


class SecretMarker:
    """Marks a parameter as a secret: the command line reads it from standard input, so that no history keeps it."""


Secret = Annotated[str, StringConstraints(max_length=4096), SecretMarker()]
"""A secret; empty for none."""


class Record(BaseModel):
    """Base of what operations take and return."""

    # A model is built at its first use, and described when somebody asks: a start needs few of all that there are.
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), defer_build=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe each field by the text below it, as `use_attribute_docstrings` would at every start."""
        made = handler(schema)
        fields = handler.resolve_ref_schema(made).get("properties", {})
        for base in cls.__mro__:
            if issubclass(base, Record) and not base.__pydantic_generic_metadata__["origin"]:
                for pair in pairwise(ast.parse(dedent(getsource(base))).body[0].body):  # type: ignore[attr-defined]
                    match pair:
                        case ast.AnnAssign(ast.Name(name)), ast.Expr(ast.Constant(str(text))) if name in fields:
                            fields[name].setdefault("description", cleandoc(text))
        return made


class Page(Record, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = None
    """Give it as `cursor` for the next page; null at the end."""


_ID = re.compile(r"[A-Za-z0-9._:/@#-]{1,400}")


def encode_cursor(key: str) -> str:
    """Make an opaque cursor of a key."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """Return the key of a cursor. Raises Invalid for one that no page gave."""
    try:
        key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        key = ""
    if not _ID.fullmatch(key):
        raise Invalid("The cursor is not valid.", hint="Use next_cursor of the page before, unchanged.")
    return key


def paginate(
    tx: Tx, query: Select[Any], column: ColumnElement[str], limit: int, cursor: str = "", *, newest: bool = True
) -> tuple[list[RowMapping], str | None]:
    """Run `query` for one page ordered by `column` (text and unique); return its rows and the next cursor."""
    if not 1 <= limit <= 1000:
        raise Invalid(f"limit is {limit}.", hint="Give a limit from 1 to 1000.")
    if cursor:
        key = decode_cursor(cursor)
        query = query.where(column < key if newest else column > key)
    query = query.order_by(column.desc() if newest else column.asc()).limit(limit + 1)
    rows = list(tx.execute(query).mappings())
    more = len(rows) > limit
    rows = rows[:limit]
    return rows, encode_cursor(str(rows[-1][column.key])) if more and column.key is not None else None


def sliced(every: Sequence[T], limit: int, cursor: str) -> Page[T]:
    """Return a page of a list that is all there; the cursor is the place where it begins. Raises Invalid."""
    key = decode_cursor(cursor) if cursor else "0"
    if not key.isdigit():
        raise Invalid("The cursor is not valid.", hint="Use next_cursor of the page before, unchanged.")
    end = int(key) + limit
    return Page(items=list(every[int(key) : end]), next_cursor=encode_cursor(str(end)) if end < len(every) else None)
