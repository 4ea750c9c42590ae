"""Prompts: versioned templates with labels and a response schema (stage 3).

A label moves; a version never changes.
"""
