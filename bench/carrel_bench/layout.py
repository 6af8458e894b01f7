"""The bench `carrel_bench.accuracy.layout`: ``python -m carrel_bench.layout``."""

import sys

from carrel_bench.command import main

if __name__ == "__main__":
    sys.exit(main(name="layout"))
