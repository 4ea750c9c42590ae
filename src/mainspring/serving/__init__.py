"""Serving: the gateway, engines, deployments, routing and guards (stage 6).

The hot path writes a trace before the last byte leaves.
"""
