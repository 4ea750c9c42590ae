"""Traces: OTLP in, spans, sessions, scores and feedback, and the queries over them.

What is acknowledged is on disk.
"""
