"""The commands: those made of operations, and those written by hand, one file each."""
