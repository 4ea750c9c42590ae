"""Mainspring: the whole LLM lifecycle in one self-hosted product."""

__version__ = "0.1.0"
