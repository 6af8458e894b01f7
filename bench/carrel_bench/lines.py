"""The bench `carrel_bench.accuracy.lines`: ``python -m carrel_bench.lines``."""

import sys

from carrel_bench.command import main

if __name__ == "__main__":
    sys.exit(main(name="lines"))
