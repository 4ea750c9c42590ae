"""Data: stage 1 (profiles) and stage 2 (recipes, deduplication, splits), datasets and their versions.

Every row of a prepared version leads back to the rows that it came from.
"""
