"""`python -m mainspring.registry [NAME …] [--to DIR]`: pull models before there is a server."""

import sys

from mainspring.registry.pull import main

sys.exit(main())
