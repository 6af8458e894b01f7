"""The bench `carrel_bench.memory.growth`: ``python -m carrel_bench.growth``."""

import sys

from carrel_bench.command import main

if __name__ == "__main__":
    sys.exit(main(name="growth"))
