"""The bench `carrel_bench.speed.decode`: ``python -m carrel_bench.decode``."""

import sys

from carrel_bench.command import main

if __name__ == "__main__":
    sys.exit(main(name="decode"))
