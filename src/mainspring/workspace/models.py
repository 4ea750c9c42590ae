"""Records of the workspace."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mainspring.kernel.records import Record

Permission = Annotated[str, StringConstraints(pattern=r"^([a-z]+|\*)\.([a-z]+|\*)$", max_length=64)]
"""`resource.action`; `*` stands for any."""

Email = Annotated[str, StringConstraints(pattern=r"^([^@\s]+@[^@\s]+)?$", max_length=254)]
"""An address, or empty."""

KeyState = Literal["active", "expired", "revoked"]

Asked = Annotated[str, StringConstraints(pattern=r"^[^\s*]{1,299}\*?$")]
"""What may be asked in `model`: a deployment's name, `model/…`, `release/…` or `PROVIDER/…`; a trailing * stands for
any ending, and a name without a version for all its versions."""

Note = Annotated[str, StringConstraints(max_length=200)]

Hours = Annotated[float, Field(ge=0, le=24 * 366)]


class Project(Record):
    """What is kept apart from everything else: its data, its models, its members."""

    name: str
    description: str
    created_at: datetime
    created_by: str


class Environment(Record):
    """Where deployments live, such as staging and production."""

    name: str
    protected: bool
    """Whether only approved releases may be deployed to it."""
    created_at: datetime
    created_by: str


class Member(Record):
    """A person, or a program, with a role in the project."""

    name: str
    role: str
    email: str
    created_at: datetime
    created_by: str


class Key(Record):
    """An API key; what it consists of is shown once, when it is made."""

    id: str
    member: str
    """On whose behalf it acts."""
    environment: str
    note: str
    permissions: list[str] | None
    """What it is limited to; null for everything that its member's role allows."""
    models: list[str] | None
    """What it may ask for in `model`; null for everything that its permissions allow."""
    roams: bool
    """Whether a request may choose another project of the member's, and another environment."""
    state: KeyState
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    """When it was last used, to the minute."""
    replaced_by: str
    """Id of the key that took its place, or empty."""


class NewKey(Key):
    """A key that has just been made, with its secret."""

    secret: str
    """The whole key, `ms_<id>_<secret>`; it is stored nowhere and cannot be shown again."""
