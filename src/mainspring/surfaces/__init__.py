"""Surfaces: REST, command line, typed client and MCP over the same operations.

The only place that composes rooms and back ends into processes.
"""
