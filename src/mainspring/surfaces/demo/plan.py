"""How much the demonstration does: all of it, or the quick version of the same stages."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import yaml

SYSTEM = (
    'Describe this Python code by a JSON object with "summary" (one line), "kind" (class, function, method or '
    'property) and "package".'
)
EXAMPLES = (
    (
        "def read_text(path, encoding='utf-8') -> str\n"
        "The file is opened, read to its end and closed. OSError is raised where it cannot be read.",
        '{"summary": "Return the whole text of a file.", "kind": "function", "package": "python"}',
    ),
    (
        "def diagonal(self, offset=0)\n"
        "The result is a view of the array; offset tells how far above the main diagonal it lies.",
        '{"summary": "Return the values on a diagonal of the array.", "kind": "method", "package": "numpy"}',
    ),
)
KINDS = ["class", "function", "method", "property"]
METRICS = ["json", "field:package", "field:kind", "rougeL:summary", "bleu:summary"]
SPEED = ["latency", "input_tokens", "output_tokens"]


def recipe() -> dict[str, Any]:
    """Return the recipe of the docstrings."""
    text = files("mainspring.surfaces.demo").joinpath("docstrings.yaml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def packages() -> list[str]:
    """Return the packages whose docstrings make the corpus, those held out whole among them."""
    step = next(step["filter"] for step in recipe()["steps"] if "filter" in step)
    return list(step["labels"])


def schema(labels: list[str]) -> dict[str, Any]:
    """Return the response schema: what an answer must look like."""
    text = {"type": "string", "maxLength": 200}
    return {
        "type": "object",
        "properties": {
            "summary": text,
            "kind": {"type": "string", "enum": KINDS},
            "package": {"type": "string", "enum": labels},
        },
        "required": ["summary", "kind", "package"],
        "additionalProperties": False,
    }


@dataclass(frozen=True)
class Plan:
    """Counts of a demonstration."""

    quick: bool = False
    per_package: int = 1300
    """Rows of the corpus from each package; 0 for all."""
    per_module: int = 0
    """Rows of the corpus from each module; 0 for all."""
    details: int = 140
    """Characters of a docstring's body that a row keeps: most of the work is reading prompts."""
    evaluated: int = 100
    """Held-out rows that are asked unconstrained."""
    constrained: int = 20
    """Held-out rows that are asked under the schema, and whose given answers are scored for perplexity."""
    answer_tokens: int = 56
    traffic: int = 40
    """Calls to the deployment, of each sort."""
    tuning: dict[str, Any] = field(default_factory=lambda: {"steps": 46})
    """Settings of the tuning that differ from the defaults."""


FULL = Plan()
QUICK = Plan(
    quick=True,
    per_package=160,
    per_module=6,
    evaluated=12,
    constrained=6,
    tuning={
        "steps": 8,
        "batch": 4,
        "layers": 8,
        "learning_rate": 1e-3,
        "validation_rows": 4,
        "parity_rows": 2,
        "parity_tokens": 16,
    },
)
