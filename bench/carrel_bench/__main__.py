"""Runs benches: ``python -m carrel_bench [NAME...] [--quick] [--data DIR] [--json FILE]``; see `carrel_bench.command`."""

import sys

from carrel_bench.command import main

if __name__ == "__main__":
    sys.exit(main())
