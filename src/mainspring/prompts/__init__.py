"""Prompts: versioned templates with labels and a response schema (stage 3).

A label moves; a version never changes. `load`, `render` and `converse` serve evaluation and serving.
"""

from mainspring.prompts.conversation import converse, frame
from mainspring.prompts.models import Message, Parameters, PromptVersion, RenderedPrompt, Variable
from mainspring.prompts.schemas import check_schema
from mainspring.prompts.service import Prompts, load, render

__all__ = [
    "Message",
    "Parameters",
    "PromptVersion",
    "Prompts",
    "RenderedPrompt",
    "Variable",
    "check_schema",
    "converse",
    "frame",
    "load",
    "render",
]
