"""Pipelines: stages composed, scheduled and triggered."""
