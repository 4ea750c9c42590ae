"""Dialects: how OpenTelemetry GenAI, OpenInference and older conventions say the same things.

Each is a table of attribute names, in order of preference; what is understood becomes a field of the span and leaves
the attributes, what is not stays as it came.
"""

from mainspring.traces.dialects.translate import is_message, messages_of, to_span

__all__ = ["is_message", "messages_of", "to_span"]
