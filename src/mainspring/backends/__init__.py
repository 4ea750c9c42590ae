"""Back ends: database, files, spans, runner and engine, one file each.

They import only the kernel's ports, are never imported by a room, and are loaded through entry points.
"""
