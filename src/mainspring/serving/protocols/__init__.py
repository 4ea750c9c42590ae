"""Protocols: what clients speak, translated at the boundary, one file each."""
