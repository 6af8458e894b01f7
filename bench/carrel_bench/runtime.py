"""The bench `carrel_bench.speed.runtime`: ``python -m carrel_bench.runtime``."""

import sys

from carrel_bench.command import main

if __name__ == "__main__":
    sys.exit(main(name="runtime"))
