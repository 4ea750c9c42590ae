"""The workspace: projects, environments, members, roles and API keys.

Who may do what, and where; every request is answered on behalf of one of its keys.
"""

from mainspring.workspace.first import first_start, projects_of
from mainspring.workspace.key_service import Keys
from mainspring.workspace.keys import authenticate, forget, recall, require_asked, within
from mainspring.workspace.lookups import (
    environment_for,
    is_protected,
    key_made_by,
    key_of,
    member_of,
    protected_environments,
    still_may,
)
from mainspring.workspace.models import Environment, Key, Member, NewKey, Project
from mainspring.workspace.service import Environments, Members, Projects

__all__ = [
    "Environment",
    "Environments",
    "Key",
    "Keys",
    "Member",
    "Members",
    "NewKey",
    "Project",
    "Projects",
    "authenticate",
    "environment_for",
    "first_start",
    "forget",
    "is_protected",
    "key_made_by",
    "key_of",
    "member_of",
    "projects_of",
    "protected_environments",
    "recall",
    "require_asked",
    "still_may",
    "within",
]
