"""The bench `carrel_bench.accuracy.pages`: ``python -m carrel_bench.pages``."""

import sys

from carrel_bench.command import main

if __name__ == "__main__":
    sys.exit(main(name="pages"))
