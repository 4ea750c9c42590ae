"""Governance: gates, approvals, lineage queries and audit verification (stage 5).

Only this room changes the state of a release.
"""
