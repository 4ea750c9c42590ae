"""Statistics: intervals, paired and sequential tests, drift tests.

Pure functions over arrays; no I/O, no clock, randomness only through a seed that is passed in.
"""
