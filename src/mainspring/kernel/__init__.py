"""The kernel: refs, versions, lineage, errors, settings, operations, access, audit, events and the ports.

Everything above imports it; it imports nothing of Mainspring. No I/O library beyond SQLAlchemy Core is used here.
"""
