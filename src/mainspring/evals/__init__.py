"""Evaluation: scorers, experiments and their comparison under one statistical rule.

Used by stages 4 to 7.
"""
