"""The bench `carrel_bench.accuracy.confidence`: ``python -m carrel_bench.confidence``."""

import sys

from carrel_bench.command import main

if __name__ == "__main__":
    sys.exit(main(name="confidence"))
