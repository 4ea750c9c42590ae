"""Prompts: versioned templates with labels, tools and a response schema (stage 3).

A label moves; a version never changes. `load`, `render` and `converse` serve evaluation and serving.
"""

from mainspring.prompts.content import render
from mainspring.prompts.conversation import converse, frame
from mainspring.prompts.models import Message, Parameters, PromptMetrics, PromptVersion, RenderedPrompt, Tool, Variable
from mainspring.prompts.service import Prompts, load
from mainspring.safety.schemas import check_schema

__all__ = [
    "Message",
    "Parameters",
    "PromptMetrics",
    "PromptVersion",
    "Prompts",
    "RenderedPrompt",
    "Tool",
    "Variable",
    "check_schema",
    "converse",
    "frame",
    "load",
    "render",
]
