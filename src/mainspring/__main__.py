"""`python -m mainspring`: the command line."""

from mainspring.surfaces.cli import main

main()
