"""Pipelines: the floor on which stages are put together; nothing stands on it yet."""
