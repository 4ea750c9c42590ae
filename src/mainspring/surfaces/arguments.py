"""Arguments: the model that an operation's arguments are checked against, on every surface that takes JSON."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, create_model


def model_of(name: str, fields: Mapping[str, Any]) -> type[Any]:
    """Return a model of fields by name, each a type and a default (`...` where it must be given); no others pass."""
    with warnings.catch_warnings():
        # An argument may be named as a method of pydantic's models: `schema` is.
        warnings.filterwarnings("ignore", message="Field name", category=UserWarning)
        config = ConfigDict(extra="forbid", protected_namespaces=())
        model: type[Any] = create_model(name, __config__=config, **fields)
    return model
